#!/usr/bin/env Rscript
# Fits the models of cases.json with R's lavaan, compares them with lavTestLRT, lavTestScore, lavTestWald and semTools' net, and writes expected.json.
# Usage: Rscript make.R   (from this folder)
suppressPackageStartupMessages({ library(lavaan); library(semTools); library(jsonlite) })
quiet <- function(expr) suppressMessages(suppressWarnings(expr))
coef_of <- function(fit) { table <- parTable(fit); table$est[table$free > 0][order(table$free[table$free > 0])] }

# lavaan's optimiser stops when a parameter is right to about 1e-6. Newton steps on its own gradient and information give the other digits; lavaan then
# recomputes every number at that point. Not for observed covariates ("polish": false): there lavaan starts from the solution.
fit_model <- function(case, model, data) {
  options <- modifyList(as.list(case$options), as.list(model$options))
  names(options) <- sub("_", ".", names(options))
  if (!is.null(options$missing)) options <- c(options, list(em.h1.tol = 1e-14, em.h1.iter.max = 1e5))
  arguments <- c(list(model = paste(model$text, collapse = "\n"), data = data), options)
  if (identical(case$polish, FALSE)) return(do.call(case[["function"]], arguments))
  fit <- do.call(case[["function"]], arguments)
  basis <- if (fit@Model@eq.constraints) fit@Model@eq.constraints.K else diag(length(lavTech(fit, "gradient")))
  theta <- coef_of(fit)
  for (k in 1:8) {
    gradient <- crossprod(basis, as.numeric(lavTech(fit, "gradient")))
    information <- if (case$polish_with == "expected") lavTech(fit, "information.expected") else lavTech(fit, "information.observed")
    hessian <- crossprod(basis, information %*% basis)
    theta <- theta - as.numeric(basis %*% solve(hessian, gradient))
    table <- parTable(fit)
    table$start[table$free > 0] <- theta[table$free[table$free > 0]]
    table$est <- table$start
    fit <- do.call(case[["function"]], modifyList(arguments, list(start = as.data.frame(table), optim.method = "none")))
  }
  fit@optim$converged <- TRUE
  fit
}

lrt <- function(fits, spec) {
  method <- if (is.null(spec$method)) "default" else gsub("_", ".", spec$method)
  shifted <- if (is.null(spec$shifted)) TRUE else spec$shifted
  table <- do.call(lavTestLRT, c(unname(fits[spec$models]), list(method = method, scaled.shifted = shifted, model.names = spec$models)))
  heading <- attr(table, "heading")[1]
  result <- list(models = rownames(table), df = table$Df, aic = table$AIC, bic = table$BIC, chisq = table$Chisq, chisq_diff = table[["Chisq diff"]],
       rmsea = table$RMSEA, df_diff = table[["Df diff"]], pvalue = table[["Pr(>Chisq)"]], scaled = grepl("Scaled", heading))
  # method = "satorra.bentler.2010" of a saturated or multi-group model may end in NA: written as null.
  result
}
score <- function(fits, spec) {
  fit <- fits[[spec$model]]
  arguments <- list(fit, epc = TRUE)
  if (!is.null(spec$release)) arguments$release <- spec$release
  if (!is.null(spec$add)) arguments$add <- spec$add
  found <- do.call(lavTestScore, arguments)
  epc <- found$epc
  list(total = list(x2 = found$test$X2, df = found$test$df, p = found$test$p.value),
       uni = list(lhs = found$uni$lhs, rhs = found$uni$rhs, x2 = found$uni$X2, p = found$uni$p.value),
       epc = list(lhs = epc$lhs, op = epc$op, rhs = epc$rhs, block = epc$block, est = epc$est, epc = epc$epc))
}
wald <- function(fits, spec) {
  found <- lavTestWald(fits[[spec$model]], constraints = gsub(";", "\n", spec$constraints))
  list(stat = found$stat, df = found$df, p = found$p.value)
}

cases <- fromJSON("cases.json", simplifyDataFrame = FALSE)
expected <- list()
for (name in names(cases)) {
  case <- cases[[name]]
  case$polish_with <- if (isTRUE(case$options$estimator %in% c("ML", "MLR")) || is.null(case$options$estimator)) "observed" else "expected"
  data <- read.csv(file.path("..", "data", paste0(case$data, ".csv")))
  fits <- lapply(case$models, function(model) quiet(fit_model(case, model, data)))
  result <- list(fits = lapply(fits, function(fit) list(chisq = fit@test[[1]]$stat, df = fit@test[[1]]$df,
                 gradient = max(abs(crossprod(if (fit@Model@eq.constraints) fit@Model@eq.constraints.K else diag(length(lavTech(fit, "gradient"))),
                                              as.numeric(lavTech(fit, "gradient"))))))))
  if (!is.null(case$lrt)) result$lrt <- lapply(case$lrt, function(spec) quiet(lrt(fits, spec)))
  if (!is.null(case$score)) result$score <- lapply(case$score, function(spec) quiet(score(fits, spec)))
  if (!is.null(case$wald)) result$wald <- lapply(case$wald, function(spec) quiet(wald(fits, spec)))
  if (!is.null(case$net)) {
    # net() refits with the options of its arguments, so these must be ordinary fits.
    ordinary <- lapply(case$models[case$net], function(model) quiet(fit_model(c(case[names(case) != "polish"], list(polish = FALSE)), model, data)))
    found <- quiet(do.call(net, unname(ordinary)))
    matrix <- found@test
    result$net <- list(models = case$net, df = as.numeric(found@df), nested = lapply(seq_len(nrow(matrix)), function(i) as.list(unname(matrix[i, ]))))
  }
  expected[[name]] <- result
  cat(name, "\n")
}
writeLines(toJSON(list(versions = list(R = as.character(getRversion()), lavaan = as.character(packageVersion("lavaan")),
  semTools = as.character(packageVersion("semTools"))), cases = expected), digits = 14, auto_unbox = TRUE, na = "null", null = "null", pretty = TRUE), "expected.json")
