#!/usr/bin/env Rscript
# Fits models with auxiliary variables (saturated correlates) with semTools and lavaan, and writes expected.json. Usage: Rscript make.R (here)
suppressPackageStartupMessages({ library(lavaan); library(semTools); library(jsonlite) })
data <- read.csv("../data/hs_mcar.csv")
model <- "visual =~ x1 + x2 + x3\ntextual =~ x4 + x5 + x6"
fits <- lapply(c(ML = "ML", MLR = "MLR"), function(estimator) {
  fit <- cfa.auxiliary(model, data, aux = c("x7", "x8"), estimator = estimator, em.h1.tol = 1e-12, em.h1.iter.max = 1e5L)
  names <- c("npar", "chisq", "df", "baseline.chisq", "baseline.df", "cfi", "tli", "rmsea", "logl", if (estimator == "MLR") c("chisq.scaled", "cfi.scaled"))
  list(estimates = parameterEstimates(fit)[c("lhs", "op", "rhs", "est", "se")], measures = as.list(fitMeasures(fit, names)))
})
write(toJSON(list(model = model, fits = fits), auto_unbox = TRUE, digits = 12, na = "null"), "expected.json")
