#!/usr/bin/env Rscript
# Fits the models of cases.json with R's lavaan, reads the defined parameters (effects along routes, in total, and their differences), raw and
# standardized, and the difference test of "through one construct only"; writes expected.json.
# Usage: Rscript make.R [case ...]   (from this folder; cases that are not named keep their numbers)
suppressPackageStartupMessages({ library(lavaan); library(jsonlite) })
quiet <- function(expr) suppressMessages(suppressWarnings(expr))

# lavaan's optimiser stops when a parameter is right to about 1e-6. Newton steps on its own gradient and information give the other digits.
fit_model <- function(text, data, options) {
  names(options) <- gsub("_", ".", names(options), fixed = TRUE)
  arguments <- c(list(model = paste(text, collapse = "\n"), data = data), options)
  fit <- do.call("sem", modifyList(arguments, list(se = "none", test = "none", baseline = FALSE)))
  if (isFALSE(fit@Options$fixed.x) || length(lavNames(fit, "ov.x")) == 0) {
    for (k in 1:5) {
      table <- parTable(fit)
      theta <- table$est[table$free > 0][order(table$free[table$free > 0])]
      theta <- theta - as.numeric(solve(lavTech(fit, "information.observed"), as.numeric(lavTech(fit, "gradient"))))
      table$start[table$free > 0] <- theta[table$free[table$free > 0]]
      table$est <- table$start
      cheap <- if (k < 5) list(se = "none", test = "none", baseline = FALSE) else list()
      fit <- do.call("sem", modifyList(arguments, c(list(start = as.data.frame(table), optim.method = "none"), cheap)))
    }
    fit@optim$converged <- TRUE
  } else fit <- do.call("sem", arguments)
  fit
}

cases <- fromJSON("cases.json", simplifyDataFrame = FALSE)
named <- commandArgs(TRUE)
expected <- if (file.exists("expected.json")) fromJSON("expected.json", simplifyDataFrame = FALSE)$cases else list()
for (name in if (length(named)) named else names(cases)) {
  case <- cases[[name]]
  data <- read.csv(case$data)
  options <- as.list(case$options)
  fit <- quiet(fit_model(case$text, data, options))
  keys <- sapply(case$definitions, function(entry) entry$name)
  raw <- parameterEstimates(fit); raw <- raw[raw$op == ":=", ]; raw <- raw[match(keys, raw$lhs), ]
  std <- quiet(standardizedSolution(fit)); std <- std[std$op == ":=", ]; std <- std[match(keys, std$lhs), ]
  result <- list(gradient = max(abs(as.numeric(lavTech(fit, "gradient")))), est = raw$est, se = raw$se, std = std$est.std, std_se = std$se,
                 nobs = lavInspect(fit, "ntotal"))
  if (!is.null(case$freed)) {
    wide <- quiet(fit_model(case$freed, data, options))
    test <- quiet(lavTestLRT(wide, fit))
    paths <- quiet(standardizedSolution(wide)); paths <- paths[paths$op == "~", ]
    result$test <- list(statistic = test[["Chisq diff"]][2], df = test[["Df diff"]][2], pvalue = test[["Pr(>Chisq)"]][2])
    result$paths <- list(lhs = paths$lhs, rhs = paths$rhs, std = paths$est.std, se = paths$se)
  }
  expected[[name]] <- result
  cat(name, result$gradient, "\n")
}
write(toJSON(list(lavaan = as.character(packageVersion("lavaan")), cases = expected), auto_unbox = TRUE, digits = 14, na = "null", pretty = TRUE), "expected.json")
