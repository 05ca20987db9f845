#!/usr/bin/env Rscript
# Writes the summaries of R's lavaan that test_summary.py compares with, one file per model (lavaan 0.6-14). Run from this folder.
suppressPackageStartupMessages(library(lavaan))
options(width = 120)
HS <- read.csv("../../../reference/data/HolzingerSwineford1939.csv")
PD <- read.csv("../../../reference/data/PoliticalDemocracy.csv")
growth_data <- read.csv("../../../reference/data/Demo_growth.csv")
three <- "visual =~ x1 + x2 + x3\ntextual =~ x4 + x5 + x6\nspeed =~ x7 + x8 + x9"
some_missing <- HS
some_missing$x1[1:20] <- NA
two_missing <- HS
two_missing$x1[c(1, 200)] <- NA
write_summary <- function(name, fit, ...) {
  writeLines(sub(" +$", "", capture.output(summary(fit, ...))), paste0(name, ".txt"))
}
write_summary("cfa", cfa(three, HS), fit.measures = TRUE, standardized = TRUE, rsquare = TRUE)
write_summary("labels", sem(
  "ind60 =~ x1 + x2 + x3\ndem60 =~ y1 + a*y2 + b*y3 + c*y4\ndem65 =~ y5 + a*y6 + b*y7 + c*y8
   dem60 ~ p1*ind60\ndem65 ~ p2*ind60 + p3*dem60\ny1 ~~ y5\ny2 ~~ y4 + y6\nind := p1*p3\ntot := p1*p3 + p2", PD), ci = TRUE)
write_summary("groups", cfa(three, HS, group = "school", group.equal = "loadings"), fit.measures = TRUE)
write_summary("groups_missing", cfa(three, two_missing, group = "school"))
write_summary("path", sem("x1 ~ x4 + x7\nx2 ~ x1 + x4\nx1 ~ 1", some_missing), standardized = TRUE, rsquare = TRUE)
write_summary("uls", cfa(three, HS, estimator = "ULS"), fit.measures = TRUE)
write_summary("saturated", cfa("f =~ x1 + x2 + x3", HS), fit.measures = TRUE)
write_summary("growth", growth("i =~ 1*t1 + 1*t2 + 1*t3 + 1*t4\ns =~ 0*t1 + 1*t2 + 2*t3 + 3*t4\ni ~ x1\ns ~ x1", growth_data), standardized = TRUE)
