#!/usr/bin/env Rscript
# Fits every case of cases.json with R's lavaan and writes expected/<name>.json, one file per case.
# Usage: Rscript make.R [name ...]   (from this folder; without names: all cases)
#
# lavaan's optimiser stops about 1e-8 above the minimum. So that the reference is sharper than what it judges, the default solution is
# polished: Newton steps on lavaan's own gradient and observed information (with the equality constraints in a KKT system), after
# which lavaan itself recomputes every number at that point (optim.method = "none"). Both minima are stored.
suppressPackageStartupMessages({ library(lavaan); library(jsonlite) })

TABLE_OPERATORS <- c("=~", "~", "~~", "~1")

constraint_function <- function(pt) {
  rows <- which(pt$op == "==")
  function(theta) {
    value <- pt$est
    value[pt$free > 0] <- theta[pt$free[pt$free > 0]]
    env <- list()
    for (i in which(pt$op %in% TABLE_OPERATORS)) {
      if (nzchar(pt$label[i]) && is.null(env[[pt$label[i]]])) env[[pt$label[i]]] <- value[i]
    }
    for (i in which(nzchar(pt$plabel))) env[[pt$plabel[i]]] <- value[i]
    for (i in which(pt$op == ":=")) env[[pt$lhs[i]]] <- eval(parse(text = pt$rhs[i]), env)
    vapply(rows, function(i) eval(parse(text = sprintf("(%s) - (%s)", pt$lhs[i], pt$rhs[i])), env), numeric(1))
  }
}

constraint_jacobian <- function(constraint, theta) {
  columns <- lapply(seq_along(theta), function(j) {
    h <- 1e-5 * max(1, abs(theta[j]))
    up <- down <- theta
    up[j] <- up[j] + h
    down[j] <- down[j] - h
    (constraint(up) - constraint(down)) / (2 * h)
  })
  matrix(unlist(columns), ncol = length(theta))
}

newton_step <- function(fit, theta, constraint) {
  gradient <- as.numeric(lavTech(fit, "gradient"))
  hessian <- lavTech(fit, "information.observed")
  scale <- 1 / sqrt(pmax(abs(diag(hessian)), 1e-300))
  if (is.null(constraint)) {
    scaled <- hessian * outer(scale, scale)
    return(list(step = scale * solve(scaled, -gradient * scale, tol = 1e-30), projected = gradient * scale))
  }
  slack <- constraint(theta)
  jacobian <- constraint_jacobian(constraint, theta)
  decomposition <- qr(t(jacobian))
  keep <- decomposition$pivot[seq_len(decomposition$rank)]
  jacobian <- jacobian[keep, , drop = FALSE]
  kkt <- rbind(cbind(hessian, t(jacobian)), cbind(jacobian, matrix(0, length(keep), length(keep))))
  list(step = solve(kkt, c(-gradient, -slack[keep]), tol = 1e-30)[seq_along(theta)],
       projected = c(qr.resid(qr(t(jacobian)), gradient) * scale, slack))
}

polish <- function(fit, fun, args) {
  pt <- as.list(parTable(fit))
  bounded <- any(pt$op %in% c("<", ">")) || !is.null(pt$lower) || !is.null(pt$upper)
  if (bounded || !lavInspect(fit, "converged")) return(list(fit = fit, polished = FALSE, gradient = NULL))
  constraint <- if (any(pt$op == "==")) constraint_function(pt) else NULL
  fixed_x <- lavInspect(fit, "options")$fixed.x
  theta <- as.numeric(coef(fit))
  current <- fit
  for (k in 1:8) {
    s <- newton_step(current, theta, constraint)
    if (max(abs(s$projected)) < 1e-13 && k > 1) break
    theta <- theta + s$step
    pt$start[pt$free > 0] <- theta[pt$free[pt$free > 0]]
    pt$est <- pt$start
    again <- args
    again$start <- as.data.frame(pt)
    again$optim.method <- "none"
    again$fixed.x <- fixed_x
    current <- suppressWarnings(do.call(fun, again))
  }
  projected <- max(abs(newton_step(current, theta, constraint)$projected))
  list(fit = current, polished = TRUE, gradient = projected)
}

# ---- what is stored ------------------------------------------------------------------------------------------------------------------

num <- function(x, digits = 12) {
  x <- signif(as.numeric(x), digits)
  x[!is.finite(x)] <- NA
  x
}
vec <- function(x, digits = 12) I(num(x, digits)) # stays an array in JSON, whatever its length
columns <- function(d, digits = 12) {
  d <- as.data.frame(d)
  short <- c("z", "pvalue", "ci.lower", "ci.upper") # derived from est and se: fewer digits keep the files small
  out <- lapply(names(d), function(n) {
    x <- d[[n]]
    if (is.numeric(x) && !is.integer(x)) vec(x, if (n %in% short) 8 else digits) else I(as.vector(x))
  })
  names(out) <- names(d)
  names(out) <- gsub(".", "_", names(out), fixed = TRUE)
  out[c("block", "level")] <- NULL
  out
}
lower <- function(m, digits) {
  m <- unclass(m)
  list(names = I(rownames(m)), lower = vec(m[upper.tri(m, diag = TRUE)], digits)) # row-wise lower triangle
}
moments <- function(x, digits = 10) {
  out <- list(cov = lower(x$cov, digits))
  if (!is.null(x$mean)) out$mean <- vec(x$mean, digits)
  out
}
by_group <- function(x, f, labels) if (length(labels)) setNames(lapply(x, f), labels) else f(x)
as_groups <- function(x, labels, f) if (length(labels)) { x <- x[labels]; by_group(x, f, labels) } else f(x)

expected <- function(case) {
  spec <- arguments(case)
  fun <- spec$fun
  args <- spec$args
  notes <- character(0)
  quiet <- function(expr) withCallingHandlers(expr, warning = function(w) { notes <<- c(notes, conditionMessage(w)); invokeRestart("muffleWarning") })
  out <- list(name = case$name, lavaan = as.character(packageVersion("lavaan")))
  fit0 <- tryCatch(quiet(do.call(fun, args)), error = function(e) conditionMessage(e))
  if (is.character(fit0)) { out$error <- fit0; return(out) }
  if (!lavInspect(fit0, "converged")) {
    retry <- args
    retry$control <- list(rel.tol = 1e-14, eval.max = 20000, iter.max = 20000)
    fit0 <- quiet(do.call(fun, retry))
  }
  out$converged <- lavInspect(fit0, "converged")
  out$warnings <- I(unique(notes))
  if (!out$converged) return(out)
  out$fmin_default <- num(fit0@optim$fx)
  p <- tryCatch(polish(fit0, fun, args), error = function(e) list(fit = fit0, polished = FALSE, message = conditionMessage(e)))
  worse <- !is.finite(p$fit@optim$fx) || p$fit@optim$fx > fit0@optim$fx + 1e-9
  if (worse || !lavInspect(p$fit, "converged")) p <- list(fit = fit0, polished = FALSE, message = "Newton steps did not improve the fit")
  if (!p$polished) {
    tight <- args
    tight$control <- list(rel.tol = 1e-14, eval.max = 20000, iter.max = 20000)
    t <- tryCatch(suppressWarnings(do.call(fun, tight)), error = function(e) NULL)
    if (!is.null(t) && lavInspect(t, "converged") && t@optim$fx <= fit0@optim$fx + 1e-12) p$fit <- t
  }
  fit <- p$fit
  out$polished <- p$polished
  out$polish_message <- p$message
  out$scaled_gradient <- if (is.null(p$gradient)) NULL else num(p$gradient, 3)
  out$fmin <- num(fit@optim$fx)
  out$post_check <- suppressWarnings(lavInspect(fit, "post.check"))
  out$nobs <- I(as.numeric(lavInspect(fit, "nobs")))
  out$fixed_x <- lavInspect(fit, "options")$fixed.x
  labels <- if (lavInspect(fit, "ngroups") > 1) lavInspect(fit, "group.label") else character(0)
  if (length(labels)) out$groups <- labels

  errors <- list()
  block <- function(name, expr) {
    value <- tryCatch(suppressWarnings(expr), error = function(e) { errors[[name]] <<- conditionMessage(e); NULL })
    out[name] <<- list(value)
  }
  block("estimates", columns(parameterEstimates(fit, standardized = TRUE, remove.nonfree = FALSE)))
  block("std_all", columns(standardizedSolution(fit, type = "std.all"), 10))
  block("std_lv", columns(standardizedSolution(fit, type = "std.lv"), 10))
  if (length(lavNames(fit, "ov.x"))) block("std_nox", columns(standardizedSolution(fit, type = "std.nox"), 10))
  block("fit_measures", {
    m <- unclass(fitMeasures(fit))
    before <- unclass(suppressWarnings(fitMeasures(fit0)))[names(m)] # an improper polished fit can lose its baseline model
    lost <- is.na(m) & !is.na(before) & m["df"] > 0
    m[lost] <- before[lost]
    x <- as.list(num(m))
    names(x) <- gsub(".", "_", names(m), fixed = TRUE)
    x
  })
  block("group_chisq", vec(lavInspect(fit, "test")[[1]]$stat.group))
  block("coef", list(names = I(names(coef(fit))), values = vec(coef(fit))))
  block("vcov", { v <- vcov(fit); vec(unclass(v)[upper.tri(v, diag = TRUE)], 7) })
  block("implied", as_groups(fitted(fit), labels, moments))
  block("sample", as_groups(lavInspect(fit, "sampstat"), labels, moments))
  for (type in c("raw", "cor", "cor.bentler", "normalized", "standardized")) {
    block(paste0("residuals_", gsub(".", "_", type, fixed = TRUE)), as_groups(residuals(fit, type = type), labels, function(x) moments(x, 7)))
  }
  block("rsquare", as_groups(lavInspect(fit, "rsquare"), labels, function(x) as.list(setNames(num(x, 10), names(x)))))
  block("modindices", {
    m <- modindices(fit)
    if (nrow(m)) columns(m, 7) else list(lhs = I(character(0)))
  })
  if (!is.null(case$data) && length(lavNames(fit, "lv"))) {
    scores <- function(x) { x <- unclass(as.matrix(x))[1:5, , drop = FALSE]; list(names = I(colnames(x)), rows = lapply(seq_len(nrow(x)), function(i) vec(x[i, ], 10))) }
    for (method in c("regression", "Bartlett")) block(paste0("predict_", tolower(method)), as_groups(lavPredict(fit, method = method), labels, scores))
  }
  out$errors <- errors
  out
}

# ---- cases.json to lavaan arguments ----------------------------------------------------------------------------------------------------

square <- function(file) {
  d <- as.matrix(read.csv(file.path("..", "data", file), check.names = FALSE))
  rownames(d) <- colnames(d)
  d
}
arguments <- function(case) {
  opt <- case$options
  fun <- if (is.null(opt[["function"]])) "sem" else opt[["function"]]
  opt[["function"]] <- NULL
  names(opt) <- gsub("_", ".", names(opt), fixed = TRUE)
  opt <- lapply(opt, unlist)
  args <- c(list(model = case$model), opt)
  if (!is.null(case$data)) args$data <- read.csv(file.path("..", "data", case$data), check.names = FALSE)
  if (!is.null(case$sample_cov)) args$sample.cov <- if (is.list(case$sample_cov)) lapply(case$sample_cov, square) else square(case$sample_cov)
  if (!is.null(case$sample_mean)) {
    named <- !is.null(names(case$sample_mean))
    args$sample.mean <- if (named) lapply(case$sample_mean, unlist) else unlist(case$sample_mean)
  }
  list(fun = fun, args = args)
}

cases <- fromJSON("cases.json", simplifyVector = FALSE)
wanted <- commandArgs(TRUE)
dir.create("expected", showWarnings = FALSE)
for (case in cases) {
  if (length(wanted) && !(case$name %in% wanted)) next
  sink(nullfile())
  out <- tryCatch(expected(case), error = function(e) list(name = case$name, error = conditionMessage(e)), finally = sink())
  text <- toJSON(out, auto_unbox = TRUE, digits = NA, na = "null", null = "null")
  writeLines(text, file.path("expected", paste0(case$name, ".json")))
  state <- if (!is.null(out[["error"]])) paste("ERROR", out[["error"]]) else if (!out$converged) "NOT CONVERGED" else
    paste(if (out$polished) "polished" else "default", format(out$scaled_gradient), "down", format(out$fmin_default - out$fmin, digits = 2),
          if (isTRUE(out$post_check)) "" else "INADMISSIBLE", paste(names(out[["errors"]]), collapse = " "), out[["polish_message"]])
  cat(sprintf("%-40s %s\n", case$name, state))
}
