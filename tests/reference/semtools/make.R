#!/usr/bin/env Rscript
# Fits every case of cases.json with R's lavaan, computes reliability and discriminant validity with semTools and psych, and writes expected.json.
# Usage: Rscript make.R   (from this folder)
suppressPackageStartupMessages({ library(lavaan); library(jsonlite) })

read_data <- function(case) {
  data <- read.csv(file.path("..", "data", paste0(case$data, ".csv")))
  if (isTRUE(case$scaled_data)) data[] <- lapply(data, function(x) if (is.numeric(x)) as.numeric(scale(x)) * sqrt(length(x) / (length(x) - 1)) else x) # divisor n
  data
}

# lavaan's optimiser stops when a parameter is right to about 1e-6. Newton steps on its own gradient and observed information give the other digits;
# lavaan then recomputes every number at that point.
fit_case <- function(case, data, text = case$model, ...) {
  options <- case$options
  if (!is.null(options)) names(options) <- sub("_", ".", names(options))
  fun <- if (is.null(case[["function"]])) "cfa" else case[["function"]]
  arguments <- modifyList(c(list(model = paste(text, collapse = "\n"), data = data), options), list(...))
  fit <- do.call(fun, arguments)
  model <- fit@Model
  basis <- if (model@eq.constraints) model@eq.constraints.K else diag(length(lavTech(fit, "gradient")))
  theta <- coef_of(fit)
  for (k in 1:6) {
    gradient <- crossprod(basis, as.numeric(lavTech(fit, "gradient")))
    hessian <- crossprod(basis, lavTech(fit, "information.observed") %*% basis)
    theta <- theta - as.numeric(basis %*% solve(hessian, gradient))
    table <- parTable(fit)
    table$start[table$free > 0] <- theta[table$free[table$free > 0]]
    table$est <- table$start
    fit <- do.call(fun, modifyList(arguments, list(start = as.data.frame(table), optim.method = "none")))
  }
  fit
}
coef_of <- function(fit) { table <- parTable(fit); table$est[table$free > 0][order(table$free[table$free > 0])] }

quiet <- function(expr) suppressMessages(suppressWarnings(expr))
# Numbers by factor, or by group and factor.
table_of <- function(x) {
  if (is.data.frame(x)) {
    rows <- lapply(seq_len(nrow(x)), function(i) as.list(unclass(x[i, setdiff(names(x), "group"), drop = FALSE])))
    names(rows) <- as.character(x$group)
    return(lapply(rows, function(row) lapply(row, as.numeric)))
  }
  as.list(x)
}
lower_triangle <- function(m) {
  m <- unclass(m)
  pairs <- which(lower.tri(m), arr.ind = TRUE)
  lapply(seq_len(nrow(pairs)), function(i) list(colnames(m)[pairs[i, 2]], rownames(m)[pairs[i, 1]], as.numeric(m[pairs[i, 1], pairs[i, 2]])))
}
# NULL where a constrained model does not converge in lavaan.
discriminant <- function(fit, polished, ...) {
  capture.output(found <- tryCatch(quiet(semTools::discriminantValidity(fit, ...)), error = function(e) NULL))
  if (is.null(found)) return(NULL)
  standardized <- standardizedSolution(polished)
  place <- match(paste(found$lhs, found$rhs), paste(standardized$lhs, standardized$rhs))
  accurate <- standardized[place, c("est.std", "ci.lower", "ci.upper")]
  stopifnot(max(abs(as.matrix(found[, c("est", "ci.lower", "ci.upper")]) - as.matrix(accurate))) < 1e-5)
  found[, c("est", "ci.lower", "ci.upper")] <- accurate
  differences(found)
}
differences <- function(x) lapply(seq_len(nrow(x)), function(i) {
  list(lhs = x$lhs[i], rhs = x$rhs[i], est = x$est[i], lower = x$ci.lower[i], upper = x$ci.upper[i], chisq = x[["Chisq diff"]][i], df = x[["Df diff"]][i],
       pvalue = x[["Pr(>Chisq)"]][i])
})

run <- function(case) {
  data <- read_data(case)
  text <- paste(case$model, collapse = "\n")
  fit <- quiet(fit_case(case, data))
  stopifnot(max(abs(crossprod(if (fit@Model@eq.constraints) fit@Model@eq.constraints.K else diag(length(coef_of(fit))), as.numeric(lavTech(fit, "gradient"))))) < 1e-10)
  higher <- if (is.null(case$higher)) character(0) else case$higher
  out <- list(chisq = fitMeasures(fit, "chisq")[[1]])
  reliability <- quiet(semTools::reliability(fit))
  if (is.list(reliability)) {
    out$reliability <- lapply(reliability, function(m) apply(m, 2, as.list))
  } else {
    out$reliability <- apply(reliability, 2, as.list)
  }
  for (observed in c(TRUE, FALSE)) {
    name <- if (observed) "observed" else "implied"
    out[[paste0("omega_", name)]] <- table_of(quiet(semTools::compRelSEM(fit, obs.var = observed, higher = higher)))
    out[[paste0("alpha_", name)]] <- table_of(quiet(semTools::compRelSEM(fit, obs.var = observed, tau.eq = TRUE)))
    out[[paste0("ave_", name)]] <- table_of(quiet(semTools::AVE(fit, obs.var = observed)))
  }
  if (isTRUE(case$maximal)) out$maximal <- as.numeric(semTools::maximalRelia(fit))
  if (isTRUE(case$htmt)) for (absolute in c(TRUE, FALSE)) for (second in c(TRUE, FALSE)) {
    name <- paste0(if (second) "htmt2" else "htmt", if (absolute) "" else "_signed")
    out[[name]] <- lower_triangle(quiet(semTools::htmt(text, data, absolute = absolute, htmt2 = second)))
  }
  if (isTRUE(case$pairs)) {
    # semTools refits with the options of the fit it is given, so that this one is not polished.
    plain <- quiet(do.call("cfa", list(model = text, data = data, std.lv = TRUE)))
    out$pairs_90 <- discriminant(plain, fit, cutoff = 0.9)
    out$pairs_50 <- discriminant(plain, fit, cutoff = 0.5)
    out$pairs_100 <- discriminant(plain, fit, cutoff = 1)
    out$pairs_merged <- discriminant(plain, fit, merge = TRUE)
  }
  if (!is.null(case$merge) && !is.null(case$options$group)) {
    merged <- sub(paste0("^", case$merge[[2]], " =~"), paste0(case$merge[[1]], " =~"), case$model)
    rival <- quiet(fit_case(case, data, merged))
    out$merged <- list(chisq = fitMeasures(rival, "chisq")[[1]], df = fitMeasures(rival, "df")[[1]])
  }
  if (isTRUE(case$alpha)) {
    alpha <- quiet(psych::alpha(data[, lavNames(fit, "ov")]))
    out$psych_alpha <- list(raw = alpha$total$raw_alpha, ase = alpha$total$ase)
  }
  if (isTRUE(case$scaled_data)) {
    omega <- quiet(psych::omegaFromSem(fit, plot = FALSE))
    out$psych_omega <- list(h = omega$omega, total = omega$omega.tot)
  }
  if (!is.null(case$labelled)) {
    labelled <- fit_case(case, data, case$labelled)
    rows <- subset(parameterEstimates(labelled), op == ":=")
    out$defined <- lapply(split(rows, rows$lhs), function(row) list(est = row$est, se = row$se))
  }
  out
}

cases <- fromJSON("cases.json", simplifyVector = TRUE)
results <- lapply(setNames(names(cases), names(cases)), function(name) { message(name); run(cases[[name]]) })
versions <- lapply(setNames(nm = c("lavaan", "semTools", "psych")), function(p) as.character(packageVersion(p)))
write(toJSON(list(versions = versions, cases = results), auto_unbox = TRUE, digits = 14, na = "null", pretty = TRUE), "expected.json")
