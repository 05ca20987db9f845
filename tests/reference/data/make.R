#!/usr/bin/env Rscript
# Writes the data sets of this folder from the R packages that ship them (lavaan, psych, datasets) and from published tables.
# Usage: Rscript make.R   (from this folder). trust32.csv is a fixed simulated sample and is not made here.
suppressPackageStartupMessages({ library(lavaan); library(psych) })
write <- function(d, file, digits = NULL) {
  if (!is.null(digits)) d[] <- lapply(d, function(x) if (is.numeric(x)) signif(x, digits) else x)
  write.csv(d, file, row.names = FALSE, quote = FALSE)
}
square <- function(m, file) write(as.data.frame(m), file)
lower <- function(values, names, diagonal = TRUE) {
  m <- lav_matrix_lower2full(values, diagonal = diagonal)
  if (!diagonal) diag(m) <- 1
  dimnames(m) <- list(names, names)
  m
}

write(HolzingerSwineford1939, "HolzingerSwineford1939.csv", 12)
write(PoliticalDemocracy, "PoliticalDemocracy.csv", 12)
write(Demo.growth, "Demo_growth.csv", 12)
write(FacialBurns, "FacialBurns.csv", 12)
write(attitude, "attitude.csv")
write(data.frame(swiss), "swiss.csv")
write(data.frame(mtcars), "mtcars.csv")
write(data.frame(longley), "longley.csv")
write(stackloss, "stackloss.csv")
names(iris) <- gsub(".", "_", names(iris), fixed = TRUE)
write(iris, "iris.csv")
b <- bfi[complete.cases(bfi), ][1:600, ]
write(b, "bfi600.csv")

square(Harman74.cor$cov, "Harman74_cor.csv")
square(ability.cov$cov, "ability_cov.csv")
items <- paste0("x", 1:9)
for (s in c("Pasteur", "Grant-White")) {
  d <- HolzingerSwineford1939[HolzingerSwineford1939$school == s, items]
  square(signif(cov(d), 12), paste0("hs_cov_", gsub("-", "_", s), ".csv"))
}
square(lower(c(
  11.834, 6.947, 9.364, 6.819, 5.091, 12.532, 4.783, 5.028, 7.495, 9.986, -3.839, -3.889, -3.841, -3.625, 9.610,
  -21.899, -18.831, -21.748, -18.775, 35.522, 450.288), c("anomia67", "powerless67", "anomia71", "powerless71", "education", "sei")), "wheaton_cov.csv")
square(lower(c(
  .6247, .3269, .3669, .4216, .3275, .6404, .2137, .2742, .1124, .0839, .4105, .4043, .2903, .2598, .1839,
  .3240, .4047, .3054, .2786, .0489, .2220, .2930, .2407, .4105, .3607, .0186, .1861, .2707,
  .2995, .2863, .5191, .5007, .0782, .3355, .2302, .2950, .0760, .0702, .2784, .1988, .1147, .1021, .0931, -.0438, .2087),
  c("roccasp", "redasp", "foccasp", "fedasp", "rparasp", "riq", "rses", "fses", "fiq", "fparasp"), diagonal = FALSE), "duncan_cor.csv")
write(head(HolzingerSwineford1939, 40), "hs_small.csv", 12)
