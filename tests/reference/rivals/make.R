#!/usr/bin/env Rscript
# Fits the models of models.json with R's lavaan to the shipped survey and compares each with the theory by lavTestLRT; writes expected.json.
# Usage: Rscript make.R SURVEY.csv   (from this folder; the survey as written by ts.load_dataset("survey").to_csv(path, index=False))
suppressPackageStartupMessages({ library(lavaan); library(jsonlite) })
quiet <- function(expr) suppressMessages(suppressWarnings(expr))
data <- read.csv(commandArgs(TRUE)[1])
models <- fromJSON("models.json", simplifyDataFrame = FALSE)
fits <- lapply(models, function(text) quiet(sem(paste(text, collapse = "\n"), data, estimator = "MLR", missing = "fiml", cluster = "team",
                                               em.h1.tol = 1e-12, em.h1.iter.max = 1e5)))
result <- lapply(names(fits), function(name) {
  fit <- fits[[name]]
  measures <- fitMeasures(fit, c("npar", "df", "logl", "aic", "bic"))
  values <- as.list(setNames(as.numeric(measures), names(measures)))
  if (name != "theory" && fitMeasures(fit, "df") < fitMeasures(fits$theory, "df") && name != "R3") {
    test <- quiet(lavTestLRT(fit, fits$theory))
    values$chisq_diff <- test[["Chisq diff"]][2]; values$df_diff <- test[["Df diff"]][2]; values$pvalue <- test[["Pr(>Chisq)"]][2]
  }
  values
})
names(result) <- names(fits)
write(toJSON(list(lavaan = as.character(packageVersion("lavaan")), models = result), auto_unbox = TRUE, digits = 12, pretty = TRUE), "expected.json")
