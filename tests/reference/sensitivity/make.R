#!/usr/bin/env Rscript
# The theory of test_held.py with parameters held at standardized values, as nonlinear constraints in R's lavaan; writes expected.json.
# Usage: Rscript make.R   (from this folder; lavaan 0.6-14)
suppressPackageStartupMessages({ library(lavaan); library(jsonlite) })

data <- HolzingerSwineford1939
measured <- "
  visual =~ x1 + l2*x2 + l3*x3
  textual =~ x4 + l5*x5 + l6*x6
  speed =~ x7 + l8*x8 + l9*x9
  visual ~~ v*visual
  textual ~~ t*textual
  speed ~~ s*speed
"
# A common cause of visual and textual whose effects have the product k: the variance of textual is b^2 v + 2 b c + t.
confounded <- function(k) paste0(measured, "
  textual ~ b*visual
  speed ~ d*textual
  visual ~~ c*textual
  c == ", k, " * sqrt(v * (b^2 * v + 2 * b * c + t))
")
# A common cause of textual and speed: the variance of speed is d^2 vt + 2 d c + s, with vt = b^2 v + t.
later <- function(k) paste0(measured, "
  textual ~ b*visual
  speed ~ d*textual
  textual ~~ c*speed
  c == ", k, " * sqrt((b^2 * v + t) * (d^2 * (b^2 * v + t) + 2 * d * c + s))
")
# A method factor: loading^2 = share / (1 - share) of what else varies in the item.
method <- function(loading) {
  ratio <- loading^2 / (1 - loading^2)
  variance <- c(x1 = "v", x2 = "l2^2*v", x3 = "l3^2*v", x4 = "(b^2*v+t)", x5 = "l5^2*(b^2*v+t)", x6 = "l6^2*(b^2*v+t)",
                x7 = "(d^2*(b^2*v+t)+s)", x8 = "l8^2*(d^2*(b^2*v+t)+s)", x9 = "l9^2*(d^2*(b^2*v+t)+s)")
  items <- names(variance)
  paste0(measured, "
  textual ~ b*visual
  speed ~ d*textual
  method =~ NA*x1 + ", paste0("start(", loading, ")*", items, " + m", 1:9, "*", items, collapse = " + "), "
  method ~~ 1*method
  method ~~ 0*visual
  method ~~ 0*textual
  method ~~ 0*speed
  ", paste0(items, " ~~ e", 1:9, "*", items, collapse = "\n  "), "
  ", paste0("m", 1:9, " == sqrt(", ratio, " * (", variance, " + e", 1:9, "))", collapse = "\n  "), "
")
}
# An item of textual that measures speed too.
crossed <- function(loading) paste0(measured, "
  textual ~ b*visual
  speed ~ d*textual
  speed =~ g*x6
  x6 ~~ e*x6
  g == ", loading, " * sqrt((l6^2 + 2 * l6 * g * d) * (b^2 * v + t) + g^2 * (d^2 * (b^2 * v + t) + s) + e) / sqrt(d^2 * (b^2 * v + t) + s)
")

fitted <- function(model, estimator) {
  fit <- sem(model, data, estimator = estimator, std.lv = FALSE, optim.gradient = "analytic",
             control = list(rel.tol = 1e-14, x.tol = 1e-14, iter.max = 1e5), constraints = "")
  table <- standardizedSolution(fit)
  paths <- table[table$op == "~", ]
  list(lhs = paths$lhs, rhs = paths$rhs, std = paths$est.std, se = paths$se, chisq = unname(fitMeasures(fit, "chisq")),
       df = unname(fitMeasures(fit, "df")), converged = lavInspect(fit, "converged"))
}
cases <- list(
  list(kind = "common cause", left = "visual", right = "textual", at = 0.1), list(kind = "common cause", left = "visual", right = "textual", at = 0.3),
  list(kind = "common cause", left = "visual", right = "textual", at = -0.2), list(kind = "common cause", left = "textual", right = "speed", at = 0.15),
  list(kind = "method", at = 0.2), list(kind = "method", at = 0.3), list(kind = "cross-loading", at = 0.2), list(kind = "cross-loading", at = -0.1))
model_of <- function(case) switch(case$kind,
  "common cause" = if (case$left == "visual") confounded(case$at) else later(case$at),
  "method" = method(case$at), "cross-loading" = crossed(case$at))
results <- list()
for (case in cases) for (estimator in c("ML", "MLR"))
  results[[length(results) + 1]] <- c(case, list(estimator = estimator), fitted(model_of(case), estimator))
write(toJSON(list(lavaan = as.character(packageVersion("lavaan")), cases = results), auto_unbox = TRUE, digits = 10, pretty = TRUE), "expected.json")
