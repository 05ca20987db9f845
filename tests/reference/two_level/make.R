#!/usr/bin/env Rscript
# Writes demo.csv (lavaan's Demo.twolevel, four decimals), demo_holes.csv (a tenth of its values missing) and expected.json: what R's lavaan 0.6-14 finds.
# lavaan's optimiser stops about 1e-10 (relative) below the maximum of the log-likelihood; its saturated two-level model, by EM, much earlier.
# Usage: Rscript make.R   (from this folder)
suppressPackageStartupMessages({ library(lavaan); library(jsonlite) })

demo <- Demo.twolevel
values <- setdiff(names(demo), "cluster")
demo[values] <- round(demo[values], 4)
write.csv(demo, "demo.csv", row.names = FALSE, quote = FALSE)
set.seed(5)
holes <- demo
for (name in paste0("y", 1:6)) holes[runif(nrow(demo)) < .1, name] <- NA
write.csv(holes, "demo_holes.csv", row.names = FALSE, quote = FALSE, na = "")

factors <- "level: 1\nfw =~ y1 + y2 + y3\ngw =~ y4 + y5 + y6\nlevel: 2\nfb =~ y1 + y2 + y3\ngb =~ y4 + y5 + y6"
covariates <- "level: 1\nfw =~ y1 + y2 + y3\nfw ~ x1 + x2 + x3\nlevel: 2\nfb =~ y1 + y2 + y3\nfb ~ w1 + w2"

describe <- function(model, data, ...) {
  fit <- suppressWarnings(sem(model, data, cluster = "cluster", ...))
  stopifnot(lavInspect(fit, "converged"))
  table <- parTable(fit)
  free <- table[table$free > 0, ]
  robust <- suppressWarnings(try(sqrt(diag(vcov(sem(model, data, cluster = "cluster", estimator = "MLR", ...)))), silent = TRUE))
  list(
    logl = unname(fitMeasures(fit, "logl")), saturated = unname(fitMeasures(fit, "unrestricted.logl")),
    baseline_chisq = unname(fitMeasures(fit, "baseline.chisq")),
    lhs = free$lhs, op = free$op, rhs = free$rhs, level = free$level, est = unname(coef(fit)), se = unname(sqrt(diag(vcov(fit)))),
    robust_se = if (inherits(robust, "try-error")) NA else unname(robust)
  )
}

result <- list(
  lavaan = as.character(packageVersion("lavaan")),
  factors = describe(factors, demo),
  covariates = describe(covariates, demo),
  holes = describe(factors, holes, missing = "ml")
)
write_json(result, "expected.json", auto_unbox = TRUE, digits = NA, pretty = TRUE)
