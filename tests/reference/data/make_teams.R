#!/usr/bin/env Rscript
# Writes the nested data sets of this folder (rows in clusters) from the R packages lavaan, MASS, nlme, mlmRev and lme4.
# Usage: Rscript make_teams.R   (from this folder)
suppressPackageStartupMessages({ library(lavaan); library(MASS); library(nlme); library(mlmRev); library(lme4) })
write <- function(d, file) {
  d[] <- lapply(d, function(x) if (is.numeric(x)) signif(x, 7) else x)
  write.csv(d, file, row.names = FALSE, quote = FALSE)
}
centred <- function(x) round(x - mean(x), 6)

# 64 clusters of Demo.twolevel, sixteen of each size (5, 10, 15, 20); x1 and x2 have mean zero, x3 has not; two groups of equal size
set.seed(20)
demo <- Demo.twolevel
size <- table(demo$cluster)
chosen <- unlist(lapply(c(5, 10, 15, 20), function(n) as.integer(names(size)[size == n][13:28])))
demo <- demo[demo$cluster %in% chosen, ]
demo$x1 <- centred(demo$x1)
demo$x2 <- centred(demo$x2)
rank <- match(demo$cluster, chosen)
demo$team <- rank
demo$half <- ifelse(rank %% 2 == 1, "odd", "even")
demo$weight <- round(rexp(nrow(demo)) + 0.2, 3)
demo$cluster <- NULL
demo <- demo[order(demo$team), ]
write(demo, "teams_demo.csv")

# at most seven rows of each cluster, with holes: 12 % of the items at random (never all of y1 to y3, because lavaan's two-level estimator goes wrong
# with rows that are empty), x2 of three rows, w2 of three clusters
holes <- demo[ave(demo$team, demo$team, FUN = seq_along) <= 7, ]
for (v in paste0("y", 1:6)) holes[[v]][runif(nrow(holes)) < 0.12] <- NA
empty <- rowSums(!is.na(holes[paste0("y", 1:3)])) == 0
holes$y1[empty] <- demo[rownames(holes)[empty], "y1"]
holes$x2[c(10, 11, 150)] <- NA
holes$w2[holes$team %in% c(3, 20, 50)] <- NA
write(holes, "teams_holes.csv")

school <- nlschools[nlschools$class %in% levels(nlschools$class)[1:60], ]
school <- data.frame(lang = school$lang, iq = centred(school$IQ), ses = centred(school$SES), size = school$GS, combined = as.integer(school$COMB == "1"),
                     class = as.integer(as.character(school$class)))
write(school, "nlschools60.csv")

hsb <- Hsb82[as.integer(as.character(Hsb82$school)) %in% sort(as.integer(as.character(unique(Hsb82$school))))[1:40], ]
write(data.frame(math = hsb$mAch, ses = centred(hsb$ses), female = centred(as.integer(hsb$sx == "Female")), minority = centred(as.integer(hsb$minrty == "Yes")),
                 meanses = hsb$meanses, catholic = as.integer(hsb$sector == "Catholic"), school = as.integer(as.character(hsb$school))), "hsb40.csv")

exam <- Exam[as.integer(Exam$school) <= 25, ]
write(data.frame(exam = exam$normexam, reading = exam$standLRT, girl = centred(as.integer(exam$sex == "F")), average = exam$schavg,
                 school = as.integer(exam$school)), "exam25.csv")

write(data.frame(boy = as.integer(as.character(Oxboys$Subject)), age = centred(Oxboys$age), height = Oxboys$height), "oxboys.csv")
write(data.frame(subject = as.integer(as.character(sleepstudy$Subject)), days = sleepstudy$Days - 4.5, reaction = sleepstudy$Reaction), "sleepstudy.csv")
