#!/usr/bin/env Rscript
# Fits the models of cases.json with sam() of R's lavaan (0.6-14) and writes expected.json.
# Usage: Rscript make.R   (from this folder)
suppressPackageStartupMessages({ library(lavaan); library(jsonlite) })
cases <- fromJSON("cases.json", simplifyDataFrame = FALSE, simplifyMatrix = FALSE)

# lavaan stops when a parameter is right to five or six digits. It stops later if it is asked to, but then says of some models that it did not converge.
fit_sam <- function(case, data, method, tolerance) {
  control <- list(iter.max = 20000, eval.max = 40000, rel.tol = tolerance)
  blocks <- if (is.null(case$blocks)) NULL else lapply(case$blocks, unlist)
  sam(paste(case$model, collapse = "\n"), data = data, sam.method = method, mm.list = blocks,
      mm.args = list(bounds = "standard", se = "standard", control = control), struc.args = list(estimator = "ML", se = "standard", control = control))
}

one <- function(case, method) {
  data <- read.csv(file.path("..", "data", paste0(case$data, ".csv")))
  if (!is.null(case$rows)) data <- data[seq_len(case$rows), ]
  note <- character(0)
  keep <- function(expr) withCallingHandlers(expr, warning = function(w) { note <<- c(note, conditionMessage(w)); invokeRestart("muffleWarning") })
  fit <- NULL
  for (tolerance in c(1e-14, 1e-12, 1e-10)) {
    note <- character(0)
    fit <- tryCatch(keep(fit_sam(case, data, method, tolerance)), error = function(e) NULL)
    if (!is.null(fit)) break
  }
  table <- parameterEstimates(fit, remove.nonfree = FALSE, remove.step1 = FALSE)
  list(tolerance = tolerance, estimates = table[table$op %in% c("~", "~~", "=~"), c("lhs", "op", "rhs", "est", "se")], warnings = as.list(unique(note)))
}

result <- lapply(cases, function(case) list(local = one(case, "local"), global = one(case, "global")))
write(toJSON(list(lavaan = as.character(packageVersion("lavaan")), cases = result), auto_unbox = TRUE, digits = 12, na = "null", pretty = 1, dataframe = "rows"),
      "expected.json")
