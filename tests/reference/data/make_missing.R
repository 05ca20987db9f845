#!/usr/bin/env Rscript
# Writes the incomplete data sets of this folder: some from R packages with the values that are missing by nature, some by cutting holes, with
# fixed seeds, into the complete data sets next to this script.
# Usage: Rscript make_missing.R   (from this folder, after make.R). Needs psych, psychTools, MASS, carData, mice, sem, AER.
suppressPackageStartupMessages({ library(psych); library(MASS) })
write <- function(d, file, digits = 10) {
  d[] <- lapply(d, function(x) if (is.numeric(x)) signif(x, digits) else x)
  names(d) <- gsub(".", "_", names(d), fixed = TRUE)
  write.csv(d, file, row.names = FALSE, quote = FALSE, na = "")
}
from <- function(package, name) {
  e <- new.env()
  data(list = name, package = package, envir = e)
  as.data.frame(e[[name]])
}
read <- function(file) read.csv(file, check.names = FALSE)

# ---- missing by nature ---------------------------------------------------------------------------------------------------------------
write(bfi[1:500, ], "bfi500_incomplete.csv")
write(airquality, "airquality.csv")
write(sat.act[1:400, ], "sat_act.csv")
write(Pima.tr2[, c("npreg", "glu", "bp", "skin", "bmi", "ped", "age")], "pima.csv")
write(survey[, c("Wr.Hnd", "NW.Hnd", "Pulse", "Height", "Age", "Sex")], "survey.csv")
un <- from("carData", "UN")
write(data.frame(fertility = un$fertility, lgdp = log(un$ppgdp), life = un$lifeExpF / 10, urban = un$pctUrban / 10, lmort = log(un$infantMortality)), "nations.csv")
free <- from("carData", "Freedman")
write(data.frame(lpop = log(free$population), nonwhite = free$nonwhite / 10, ldens = log(free$density), crime = free$crime / 1000), "freedman.csv")
pupils <- from("mice", "brandsma")[1:500, c("iqv", "iqp", "ses", "lpr", "lpo", "apr", "apo", "sex")]
pupils[c("ses", "lpr", "lpo", "apr", "apo")] <- pupils[c("ses", "lpr", "lpo", "apr", "apo")] / 10
write(pupils, "pupils.csv")
write(from("sem", "Tests"), "tests32.csv")
affect <- from("psychTools", "affect")[, c("ext", "neur", "EA1", "TA1", "PA1", "NA1", "EA2", "TA2", "PA2", "NA2", "state1", "state2")]
write(affect, "affect.csv")

# ---- complete, for robust methods ------------------------------------------------------------------------------------------------------
write(from("psychTools", "epi.bfi"), "epi_bfi.csv")
write(data.frame(Tal_Or), "tal_or.csv")
schools <- from("AER", "CASchools")
write(data.frame(grades = schools$grades, ratio = schools$students / schools$teachers, lunch = schools$lunch / 10, income = schools$income / 10, english = schools$english / 10,
                 read = schools$read / 10, math = schools$math / 10, expenditure = schools$expenditure / 1000), "schools.csv")
wages <- from("AER", "CPS1985")
write(data.frame(lwage = log(wages$wage), education = wages$education, experience = wages$experience / 10, gender = as.character(wages$gender)), "wages.csv")

# ---- holes completely at random, or at random given a variable that is always observed ----------------------------------------------------
holes <- function(d, variables, rate, seed, given = NULL) {
  set.seed(seed)
  pull <- if (is.null(given)) 1 else 2 * rank(d[[given]]) / nrow(d)
  for (v in variables) d[[v]][runif(nrow(d)) < rate * pull] <- NA
  d
}
dropout <- function(d, waves, rate, seed) { # once a wave is missing the later ones are too; more likely after a low value
  set.seed(seed)
  for (k in seq_along(waves)[-1]) {
    before <- d[[waves[k - 1]]]
    gone <- is.na(before) | runif(nrow(d)) < 2 * rate * rank(-before, na.last = "keep") / nrow(d)
    d[[waves[k]]][gone] <- NA
  }
  d
}
hs <- read("HolzingerSwineford1939.csv")
items <- paste0("x", 1:9)
write(holes(hs, items, 0.10, 11), "hs_mcar.csv", 12)
mar <- holes(hs, paste0("x", c(1, 2, 4, 5, 7, 8)), 0.15, 12, given = "ageyr")
mar[c(5, 77), items] <- NA # two empty rows
mar[10:14, "agemo"] <- NA
mar[c(20, 21, 30, 31, 32, 150, 151), "ageyr"] <- NA
mar[30, items] <- NA # nothing but covariates
mar[33, items] <- NA
write(mar, "hs_mar.csv", 12)
planned <- hs # three forms, each without one block
planned[hs$id %% 3 == 0, items[1]] <- NA
planned[hs$id %% 3 == 1, items[5]] <- NA
planned[hs$id %% 3 == 2, items[9]] <- NA
write(planned, "hs_planned.csv", 12)
pd <- read("PoliticalDemocracy.csv")
write(holes(pd, names(pd), 0.06, 13), "democracy_mcar.csv", 12)
growth <- read("Demo_growth.csv")
write(dropout(growth, paste0("t", 1:4), 0.12, 14), "growth_dropout.csv", 12)
write(holes(growth, c(paste0("t", 1:4), "x2", "c2"), 0.05, 15), "growth_holes.csv", 12)
burns <- read("FacialBurns.csv")
write(holes(burns, c("Selfesteem", "HADS", "RUM", "TBSA"), 0.10, 16), "burns_holes.csv", 12)
write(holes(read("bfi600.csv"), c(paste0("A", 1:5), paste0("C", 1:5)), 0.08, 17), "bfi600_holes.csv", 12)
write(holes(read("iris.csv"), c("Sepal_Width", "Petal_Length", "Petal_Width"), 0.10, 18), "iris_holes.csv", 12)
write(holes(read("swiss.csv"), c("Fertility", "Education", "Infant.Mortality"), 0.10, 19), "swiss_holes.csv", 12)
trust <- read("trust32.csv")
cut <- holes(trust, names(trust), 0.04, 20)
set.seed(21)
for (v in setdiff(names(trust), "t1")) cut[[v]][runif(nrow(cut)) < 0.08 * rank(-trust$t1) / nrow(trust)] <- NA
write(cut, "trust32_holes.csv", 5)
