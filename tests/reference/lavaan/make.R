#!/usr/bin/env Rscript
# Fits every case of cases*.json with R's lavaan and writes expected/<name>.json, one file per case.
# Usage: Rscript make.R [name ... | file.json ...]   (from this folder; without arguments: all cases of all files)
#
# lavaan's optimiser stops about 1e-8 above the minimum. So that the reference is sharper than what it judges, the default solution is
# polished: Newton steps on lavaan's own gradient and observed information (with the equality constraints in a KKT system), after
# which lavaan itself recomputes every number at that point (optim.method = "none"). Both minima are stored. For the same reason the saturated
# model of incomplete data is iterated to 1e-12 (lavaan stops at 1e-5), and the baseline model behind scaled fit measures is polished too.
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
  light <- if (startsWith(lavInspect(fit, "options")$missing, "ml")) list(se = "none", test = "none", baseline = FALSE) # slow otherwise
  at_theta <- function(extra) {
    again <- args
    again[c("start", "optim.method", "fixed.x")] <- list(as.data.frame(pt), "none", fixed_x)
    again[names(extra)] <- extra
    suppressWarnings(do.call(fun, again))
  }
  theta <- as.numeric(coef(fit))
  current <- fit
  for (k in 1:8) {
    s <- newton_step(current, theta, constraint)
    if (max(abs(s$projected)) < 1e-13 && k > 1) break
    theta <- theta + s$step
    pt$start[pt$free > 0] <- theta[pt$free[pt$free > 0]]
    pt$est <- pt$start
    current <- at_theta(light)
  }
  projected <- max(abs(newton_step(current, theta, constraint)$projected))
  list(fit = if (length(light)) at_theta(NULL) else current, polished = TRUE, gradient = projected)
}

# lavaan's default baseline: unrelated outcomes, and covariates related as in the data. A path of zero from each fixed covariate keeps it exogenous.
polished_baseline <- function(fit, fun, args) {
  o <- lavInspect(fit, "options")
  x <- lavNames(fit, "ov.x")
  y <- setdiff(lavNames(fit, "ov"), x)
  pairs <- if (length(x)) outer(x, x, paste, sep = " ~~ ")[upper.tri(diag(length(x)), diag = TRUE)]
  covariates <- if (!length(x)) NULL else if (o$fixed.x) paste(y, "~", paste0("0*", x, collapse = " + ")) else c(pairs, if (o$meanstructure) paste(x, "~ 1"))
  model <- c(paste(y, "~~", y), covariates, if (o$meanstructure) paste(y, "~ 1"))
  base <- args
  base[intersect(names(base), c("group.equal", "group.partial", "std.lv", "orthogonal", "start", "effect.coding", "auto.cov.y", "auto.cov.lv.x"))] <- NULL
  base$model <- paste(model, collapse = "\n")
  base$meanstructure <- o$meanstructure
  base$fixed.x <- o$fixed.x
  first <- suppressWarnings(do.call("lavaan", base))
  polish(first, "lavaan", base)$fit
}

measures <- function(fit, fun, args) {
  plain <- unclass(suppressWarnings(fitMeasures(fit)))
  if (!needs_sharp_baseline(fit)) return(plain)
  sharp <- tryCatch(unclass(suppressWarnings(fitMeasures(fit, baseline.model = polished_baseline(fit, fun, args)))), error = function(e) NULL)
  same <- !is.null(sharp) && identical(names(sharp), names(plain)) && identical(is.na(sharp), is.na(plain)) &&
    isTRUE(all(abs(sharp - plain) <= 1e-4 * (1e-2 + abs(plain)), na.rm = TRUE))
  structure(if (same) sharp else plain, sharp = same)
}
needs_sharp_baseline <- function(fit) length(lavInspect(fit, "test")) > 1 || lavInspect(fit, "options")$missing != "listwise"

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
test_line <- function(x) {
  shown <- c("stat", "df", "pvalue", "scaling.factor", "shift.parameter", "scaling.factor.h1", "scaling.factor.h0", "trace.UGamma", "trace.UGamma2")
  x <- lapply(x[intersect(shown, names(x))], num)
  names(x) <- gsub(".", "_", names(x), fixed = TRUE)
  x[lengths(x) > 0]
}
# Difference tests of this fit (restricted) against that of the case named in `nested_in`.
METHODS <- list(satorra_bentler_2001 = list(method = "satorra.bentler.2001"), satorra_bentler_2010 = list(method = "satorra.bentler.2010"),
                satorra_2000 = list(method = "satorra.2000"), satorra_2000_exact = list(method = "satorra.2000", A.method = "exact"),
                satorra_2000_unshifted = list(method = "satorra.2000", scaled.shifted = FALSE))
differences <- function(fit, name) {
  wider <- arguments(Filter(function(x) x$name == name, cases)[[1]])
  first <- suppressWarnings(do.call(wider$fun, wider$args))
  wider_fit <- polish(first, wider$fun, wider$args)$fit
  line <- function(options) {
    x <- tryCatch(suppressWarnings(do.call(lavTestLRT, c(list(wider_fit, fit), options))), error = function(e) NULL)
    if (is.null(x)) return(NULL)
    list(chisq_diff = num(x[2, "Chisq diff"]), df_diff = num(x[2, "Df diff"]), pvalue = num(x[2, "Pr(>Chisq)"], 8), heading = sub("\n.*", "", sub("^\n", "", attr(x, "heading")[1])))
  }
  robust <- length(lavInspect(fit, "test")) > 1
  Filter(Negate(is.null), c(list(default = line(list())), if (robust) lapply(METHODS, line)))
}
score_tests <- function(fit) {
  x <- suppressWarnings(lavTestScore(fit, epc = TRUE))
  list(total = as.list(num(unlist(x$test[c("X2", "df", "p.value")]))), univariate = columns(x$uni, 8), epc = columns(x$epc, 8))
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
  incomplete <- startsWith(lavInspect(fit, "options")$missing, "ml")
  fmi <- lavInspect(fit, "options")$missing == "ml" && lavInspect(fit, "options")$se == "standard" &&
    lavInspect(fit, "options")$information[1] != "first.order" # lavaan's own fmi stops with an error there
  block("estimates", columns(parameterEstimates(fit, standardized = TRUE, remove.nonfree = FALSE, fmi = fmi)))
  block("std_all", columns(standardizedSolution(fit, type = "std.all"), 10))
  block("std_lv", columns(standardizedSolution(fit, type = "std.lv"), 10))
  if (length(lavNames(fit, "ov.x"))) block("std_nox", columns(standardizedSolution(fit, type = "std.nox"), 10))
  block("fit_measures", {
    m <- measures(fit, fun, args)
    out$sharp_baseline <- attr(m, "sharp")
    before <- unclass(suppressWarnings(fitMeasures(fit0)))[names(m)] # an improper polished fit can lose its baseline model
    lost <- is.na(m) & !is.na(before) & m["df"] > 0
    m[lost] <- before[lost]
    x <- as.list(num(m))
    names(x) <- gsub(".", "_", names(m), fixed = TRUE)
    x
  })
  if (length(lavInspect(fit, "test")) > 1) block("tests", lapply(lavInspect(fit, "test"), test_line))
  if (!is.null(case$nested_in)) block("differences", differences(fit, case$nested_in))
  if (isTRUE(case$score)) block("score_tests", score_tests(fit))
  if (incomplete) {
    out$norig <- I(as.numeric(lavInspect(fit, "norig")))
    block("patterns", as_groups(lavInspect(fit, "patterns"), labels, nrow))
    block("coverage", as_groups(lavInspect(fit, "coverage"), labels, function(x) lower(x, 7)))
  }
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
  if (!is.null(args$missing) && args$missing != "listwise") args <- c(args, list(em.h1.tol = 1e-12, em.h1.iter.max = 2000))
  list(fun = fun, args = args)
}

wanted <- commandArgs(TRUE)
files <- grep("[.]json$", wanted, value = TRUE)
if (!length(files)) files <- Sys.glob("cases*.json")
wanted <- setdiff(wanted, files)
cases <- unlist(lapply(files, fromJSON, simplifyVector = FALSE), recursive = FALSE)
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
