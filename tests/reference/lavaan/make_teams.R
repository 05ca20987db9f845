#!/usr/bin/env Rscript
# Fits every case of cases_teams.json (two levels, cluster-robust, sampling weights) with R's lavaan and writes expected_teams/<name>.json.
# Usage: Rscript make_teams.R [name ...]   (from this folder; without names: all cases)
#
# lavaan's solution is sharpened by Newton steps on lavaan's own gradient and observed information (equality constraints in a KKT system); lavaan
# then recomputes every number at that point. The two-level saturated model of lavaan comes from an EM that stops early, so its log-likelihood is
# up to 1e-3 too low: block h1_exact holds the saturated model fitted as a model and sharpened the same way, with the statistics that follow from it.
suppressPackageStartupMessages({ library(lavaan); library(jsonlite) })

TABLE_COLUMNS <- c("id", "lhs", "op", "rhs", "user", "block", "group", "level", "free", "ustart", "exo", "label", "plabel")

constraint_jacobian <- function(pt) {
  rows <- which(pt$op == "==")
  if (!length(rows)) return(NULL)
  free <- function(name) {
    cell <- which(pt$plabel == name | pt$label == name)
    replace(numeric(max(pt$free)), pt$free[cell[pt$free[cell] > 0]][1], 1)
  }
  # only equalities of two parameters occur in these cases; labels shared by several rows appear as such rows too
  j <- do.call(rbind, lapply(rows, function(i) free(pt$lhs[i]) - free(pt$rhs[i])))
  basis <- qr(t(j))
  j[basis$pivot[seq_len(basis$rank)], , drop = FALSE]
}

newton_step <- function(fit, jacobian, factor) {
  gradient <- as.numeric(lavTech(fit, "gradient"))
  hessian <- lavTech(fit, "information.observed")
  scale <- 1 / sqrt(pmax(abs(diag(hessian)), 1e-300))
  if (is.null(jacobian)) return(list(step = -factor * scale * solve(hessian * outer(scale, scale), gradient * scale, tol = 1e-30), projected = gradient * scale))
  k <- nrow(jacobian)
  kkt <- rbind(cbind(hessian, t(jacobian)), cbind(jacobian, matrix(0, k, k)))
  step <- solve(kkt, c(-factor * gradient, numeric(k)), tol = 1e-30)[seq_along(gradient)]
  list(step = step, projected = qr.resid(qr(t(jacobian)), gradient) * scale)
}

# In two-level models the gradient is per row, the information per cluster (and groups are weighted again), so the factor between the two is
# learned from the first step.
polish <- function(fit, args, steps = 8) {
  pt <- as.list(parTable(fit))
  table <- as.data.frame(pt)[, intersect(TABLE_COLUMNS, names(pt))]
  jacobian <- constraint_jacobian(pt)
  args[c("group.equal", "group.partial", "std.lv", "function")] <- NULL
  args$fixed.x <- lavInspect(fit, "options")$fixed.x
  args$meanstructure <- lavInspect(fit, "options")$meanstructure
  args$optim.method <- "none"
  clusters <- if (lavInspect(fit, "nlevels") > 1) sum(unlist(lavInspect(fit, "nclusters"))) else 0
  factor <- if (clusters) sum(lavInspect(fit, "nobs")) / clusters else 1
  if (clusters && lavInspect(fit, "ngroups") > 1) factor <- factor * lavInspect(fit, "ngroups")
  theta <- as.numeric(coef(fit))
  current <- best <- fit
  smallest <- Inf
  for (k in seq_len(steps)) {
    s <- newton_step(current, jacobian, factor)
    size <- max(abs(s$projected))
    if (size < smallest) { smallest <- size; best <- current }
    if (size < 1e-14 || (k > 4 && size > smallest)) break
    theta <- theta + s$step
    table$ustart[table$free > 0] <- theta[table$free[table$free > 0]]
    table$ustart[table$exo == 1 & table$free == 0] <- pt$est[table$exo == 1 & table$free == 0]
    args$model <- table
    current <- suppressWarnings(do.call("lavaan", args))
  }
  list(fit = best, gradient = smallest)
}

# ---- the saturated model -------------------------------------------------------------------------------------------------------------

saturated_syntax <- function(fit, fixed_x) {
  pt <- as.data.frame(parTable(fit))
  ov <- lavNames(fit, "ov")
  x <- if (fixed_x) unique(pt$lhs[pt$exo == 1]) else character(0)
  pairs <- function(v) vapply(seq_along(v), function(i) paste(v[i], "~~", paste(v[i:length(v)], collapse = " + ")), "")
  section <- function(variables) {
    y <- setdiff(variables, x)
    c(pairs(y), if (any(variables %in% x)) paste(paste(y, collapse = " + "), "~", paste(intersect(variables, x), collapse = " + ")))
  }
  level <- function(l) unique(unlist(lapply(lavNames(fit, "ov", block = l), identity)))
  one <- c("level: 1", section(level(1)), "level: 2", section(level(2)))
  if (lavInspect(fit, "ngroups") == 1) return(paste(one, collapse = "\n"))
  paste(unlist(lapply(seq_len(lavInspect(fit, "ngroups")), function(g) c(paste("group:", g), one))), collapse = "\n")
}

saturated <- function(fit, args) {
  keep <- intersect(c("data", "cluster", "group", "missing", "fixed.x"), names(args))
  again <- args[keep]
  again$model <- saturated_syntax(fit, lavInspect(fit, "options")$fixed.x)
  again$baseline <- again$h1 <- FALSE
  start <- suppressWarnings(do.call("sem", again))
  p <- polish(start, again)
  trace <- NULL # of the robust test; lavaan's two-level first-order information fails when values are missing
  if (is.null(args$missing)) trace <- sum(diag(lavTech(p$fit, "information.first.order") %*% solve(lavTech(p$fit, "information.observed"))))
  list(fit = p$fit, gradient = p$gradient, trace = trace)
}

# ---- what is stored ------------------------------------------------------------------------------------------------------------------

num <- function(x, digits = 12) {
  x <- signif(as.numeric(x), digits)
  x[!is.finite(x)] <- NA
  x
}
vec <- function(x, digits = 12) I(num(x, digits))
columns <- function(d, digits = 12) {
  d <- as.data.frame(d)
  short <- c("z", "pvalue", "ci.lower", "ci.upper")
  out <- lapply(names(d), function(n) {
    x <- d[[n]]
    if (is.numeric(x) && !is.integer(x)) vec(x, if (n %in% short) 8 else digits) else I(as.vector(x))
  })
  names(out) <- gsub(".", "_", names(d), fixed = TRUE)
  out
}
lower <- function(m, digits) {
  m <- unclass(m)
  list(names = I(rownames(m)), lower = vec(m[upper.tri(m, diag = TRUE)], digits))
}
moments <- function(x, digits = 10) {
  out <- list(cov = lower(x$cov, digits))
  if (!is.null(x$mean)) out$mean <- vec(x$mean, digits)
  out
}
# blocks in lavaan's order: (group 1 level 1), (group 1 level 2), (group 2 level 1), ...
blocks <- function(x, f, several) if (several) unname(lapply(x, f)) else list(f(x))

fitted_x <- function(fit) { pt <- as.data.frame(parTable(fit)); c(0, pt$est[pt$exo == 1 & pt$free == 0]) }

expected <- function(case) {
  args <- arguments(case)
  notes <- character(0)
  quiet <- function(expr) withCallingHandlers(expr, warning = function(w) { notes <<- c(notes, conditionMessage(w)); invokeRestart("muffleWarning") })
  out <- list(name = case$name, lavaan = as.character(packageVersion("lavaan")))
  fit0 <- tryCatch(quiet(do.call(args$fun, args$args)), error = function(e) conditionMessage(e))
  if (is.character(fit0)) { out$error <- fit0; return(out) }
  out$converged <- lavInspect(fit0, "converged")
  out$warnings <- I(unique(gsub("\\s+", " ", trimws(notes))))
  if (!out$converged) return(out)
  out$fmin_default <- num(fit0@optim$fx)
  p <- tryCatch(polish(fit0, args$args), error = function(e) list(fit = fit0, message = conditionMessage(e)))
  if (!isTRUE(p$fit@optim$fx <= fit0@optim$fx + 1e-9) || !isTRUE(max(abs(fitted_x(p$fit) - fitted_x(fit0))) < 1e-4)) p <- list(fit = fit0, message = "Newton steps did not improve the fit")
  fit <- p$fit
  out$polish_message <- p$message
  out$scaled_gradient <- if (is.null(p$gradient)) NULL else num(p$gradient, 3)
  out$fmin <- num(fit@optim$fx)
  out$post_check <- suppressWarnings(lavInspect(fit, "post.check"))
  options <- lavInspect(fit0, "options")
  out$options <- lapply(options[c("estimator", "se", "test", "information", "observed.information", "fixed.x", "meanstructure", "missing")], function(x) I(x))
  names(out$options) <- gsub(".", "_", names(out$options), fixed = TRUE)
  levels <- lavInspect(fit, "nlevels")
  groups <- lavInspect(fit, "ngroups")
  several <- levels > 1 || groups > 1
  lossy <- levels > 1 && options$missing != "listwise"
  out$nobs <- I(as.numeric(lavInspect(fit, "nobs")))
  out$ntotal <- lavInspect(fit, "ntotal")
  out$levels <- levels
  if (groups > 1) out$groups <- lavInspect(fit, "group.label")
  if (length(args$args$cluster)) out$nclusters <- I(as.numeric(unlist(lavInspect(fit, "nclusters"))))

  errors <- list()
  block <- function(name, expr) {
    value <- tryCatch(suppressWarnings(expr), error = function(e) { errors[[name]] <<- conditionMessage(e); NULL })
    out[name] <<- list(value)
  }
  block("estimates", columns(parameterEstimates(fit, standardized = TRUE, remove.nonfree = FALSE)))
  block("std_all", columns(standardizedSolution(fit, type = "std.all"), 10))
  block("std_lv", columns(standardizedSolution(fit, type = "std.lv"), 10))
  block("fit_measures", {
    # with missing values the refit loses lavaan's two-level saturated model: those measures are the ones of lavaan's own solution
    m <- unclass(fitMeasures(if (lossy) fit0 else fit))
    setNames(as.list(num(m)), gsub(".", "_", names(m), fixed = TRUE))
  })
  block("coef", list(names = I(names(coef(fit))), values = vec(coef(fit))))
  block("vcov", { v <- vcov(fit); vec(unclass(v)[upper.tri(v, diag = TRUE)], 9) })
  block("implied", blocks(if (several) strip(fitted(fit), levels, groups) else fitted(fit), moments, several))
  block("sample", blocks(if (several) strip(lavInspect(if (lossy) fit0 else fit, "sampstat"), levels, groups) else lavInspect(fit, "sampstat"), moments, several))
  block("h1", blocks(if (several) strip(lavInspect(if (lossy) fit0 else fit, "h1"), levels, groups) else lavInspect(fit, "h1"), moments, several))
  block("residuals_cor", blocks(if (several) strip(residuals(if (lossy) fit0 else fit, type = "cor"), levels, groups) else residuals(fit, type = "cor"), function(x) moments(x, 7), several))
  rsquare <- function(x) as.list(setNames(num(x, 10), names(x)))
  block("rsquare", { r <- lavInspect(fit, "rsquare"); if (several) unname(lapply(r, rsquare)) else list(rsquare(r)) })
  if (levels > 1) {
    block("icc", { i <- lavInspect(if (lossy) fit0 else fit, "icc"); if (groups > 1) unname(lapply(i, rsquare)) else list(rsquare(i)) })
    block("h1_exact", {
      s <- saturated(fit, args$args)
      chisq <- 2 * (as.numeric(logLik(s$fit)) - as.numeric(logLik(fit)))
      fm <- fitMeasures(if (lossy) fit0 else fit)
      baseline <- fm[["unrestricted.logl"]] - fm[["baseline.chisq"]] / 2
      list(logl = num(logLik(s$fit)), npar = length(coef(s$fit)), scaled_gradient = num(s$gradient, 3),
           chisq = num(chisq), baseline_logl = num(baseline), baseline_chisq = num(2 * (as.numeric(logLik(s$fit)) - baseline)), trace = if (is.null(s$trace)) NULL else num(s$trace),
           moments = blocks(strip(fitted(s$fit), levels, groups), moments, TRUE))
    })
  }
  if (length(lavNames(fit, "lv"))) {
    scores <- function(x) { x <- unclass(as.matrix(x))[1:5, , drop = FALSE]; list(names = I(colnames(x)), rows = lapply(seq_len(nrow(x)), function(i) vec(x[i, ], 10))) }
    for (l in seq_len(levels)) block(paste0("predict_level", l), { s <- if (levels > 1) lavPredict(fit, level = l) else lavPredict(fit); if (groups > 1) unname(lapply(s, scores)) else list(scores(s)) })
  }
  block("modindices", { m <- modindices(fit); if (nrow(m)) columns(m, 7) else list(lhs = I(character(0))) })
  out$errors <- errors
  out
}
# a list per group of lists per level, a list per level, or a list per group: flattened to one list of blocks
strip <- function(x, levels, groups) {
  is_block <- function(b) is.list(b) && !is.null(b$cov)
  if (all(vapply(x, is_block, NA))) return(unname(x))
  unname(unlist(lapply(x, function(g) g[vapply(g, is_block, NA)]), recursive = FALSE))
}

arguments <- function(case) {
  opt <- case$options
  fun <- if (is.null(opt[["function"]])) "sem" else opt[["function"]]
  opt[["function"]] <- NULL
  names(opt) <- gsub("_", ".", names(opt), fixed = TRUE)
  opt <- lapply(opt, unlist)
  list(fun = fun, args = c(list(model = case$model, data = read.csv(file.path("..", "data", case$data), check.names = FALSE)), opt))
}

cases <- fromJSON("cases_teams.json", simplifyVector = FALSE)
wanted <- commandArgs(TRUE)
dir.create("expected_teams", showWarnings = FALSE)
for (case in cases) {
  if (length(wanted) && !(case$name %in% wanted)) next
  out <- tryCatch(expected(case), error = function(e) list(name = case$name, error = conditionMessage(e)))
  writeLines(toJSON(out, auto_unbox = TRUE, digits = NA, na = "null", null = "null"), file.path("expected_teams", paste0(case$name, ".json")))
  state <- if (!is.null(out[["error"]])) paste("ERROR", out[["error"]]) else if (!out$converged) "NOT CONVERGED" else
    paste("gradient", format(out$scaled_gradient), "h1", format(out$h1_exact$scaled_gradient), "chisq", format(out$fit_measures$chisq, digits = 9), format(out$h1_exact$chisq, digits = 9),
          if (isTRUE(out$post_check)) "" else "INADMISSIBLE", paste(names(out[["errors"]]), unlist(out[["errors"]]), collapse = " "), out[["polish_message"]])
  cat(sprintf("%-36s %s\n", case$name, state))
}
