#!/usr/bin/env Rscript
# Roles and levels: fits models written by hand with R's lavaan, tests equal paths with lavTestWald and lavTestLRT, and writes expected_groups.json.
# Usage: Rscript make_groups.R   (from this folder)
suppressPackageStartupMessages({ library(lavaan); library(jsonlite) })

# Four roles of the shipped data; paths free, then equal, with equal loadings.
groups <- read.csv("../../../data/simulated/groups/data.csv")
measured <- "Rel =~ vul + aut + bid + col + emp
Tec =~ fre + res + exp_ + qui
Tru =~ t1 + t2 + t3 + t4 + t5
"
fit_roles <- function(structure, equal) sem(paste(measured, structure), groups, group = "role", group.equal = equal, estimator = "MLR")
free <- fit_roles("Tru ~ c(a1, a2, a3, a4)*Rel + c(b1, b2, b3, b4)*Tec", "loadings")
same <- fit_roles("Tru ~ c(a, a, a, a)*Rel + c(b, b, b, b)*Tec", "loadings")
scalar <- fit_roles("Tru ~ Rel + Tec", c("loadings", "intercepts"))
wald <- function(fit, text) { found <- lavTestWald(fit, text); list(stat = found$stat, df = found$df, pvalue = found$p.value) }
lrt <- function(wide, narrow) { test <- lavTestLRT(wide, narrow); list(stat = test[["Chisq diff"]][2], df = test[["Df diff"]][2], pvalue = test[["Pr(>Chisq)"]][2]) }
paths <- function(fit) { found <- parameterEstimates(fit, standardized = TRUE); found[found$op == "~", ] }
means <- lapply(lavInspect(scalar, "mean.lv"), as.numeric)
roles <- list(paths = paths(free)[, c("lhs", "rhs", "group", "est", "se", "std.all")], labels = lavInspect(free, "group.label"),
  a = wald(free, "a1 == a2; a1 == a3; a1 == a4"), b = wald(free, "b1 == b2; b1 == b3; b1 == b4"),
  joint = wald(free, "a1 == a2; a1 == a3; a1 == a4; b1 == b2; b1 == b3; b1 == b4"), difference = lrt(free, same), means = means)

# Teams: a path model at both levels.
set.seed(20155)
team <- rep(1:60, each = 8)
x_team <- rnorm(60, sd = .6); m_team <- .5 * x_team + rnorm(60, sd = .4); y_team <- .3 * m_team + rnorm(60, sd = .4)
x <- x_team[team] + rnorm(480); own <- x - x_team[team]
m_own <- .3 * own + rnorm(480, sd = .9); y_own <- .3 * m_own + rnorm(480, sd = .9)
teams <- data.frame(team = team, x = x, m = m_team[team] + m_own, y = y_team[team] + y_own)
teams[] <- round(teams, 4)
write.csv(teams, "teams.csv", row.names = FALSE)
level <- function(m, y) paste0("m ~ ", m, "*x\ny ~ ", y, "*m\n")
fit_levels <- function(text) sem(text, teams, cluster = "team", estimator = "MLR", fixed.x = FALSE)
apart <- fit_levels(paste0("level: 1\n", level("aw", "bw"), "level: 2\n", level("ab", "bb")))
alike <- fit_levels(paste0("level: 1\n", level("a", "b"), "level: 2\n", level("a", "b")))
# lavaan's own saturated moments stop early; fitted as a model they are right.
full <- parameterEstimates(fit_levels("level: 1\nm ~~ y + x\ny ~~ x\nlevel: 2\nm ~~ y + x\ny ~~ x"))
full <- full[full$lhs == full$rhs & full$op == "~~", ]
between <- setNames(full$est[full$level == 2], full$lhs[full$level == 2])
within <- setNames(full$est[full$level == 1], full$lhs[full$level == 1])
found <- parameterEstimates(apart); standard <- standardizedSolution(apart)
found$std <- standard$est.std
levels <- list(paths = found[found$op == "~", c("lhs", "rhs", "level", "est", "se", "std")], icc = as.list(between / (between + within[names(between)])),
  a = wald(apart, "aw == ab"), b = wald(apart, "bw == bb"), joint = wald(apart, "aw == ab; bw == bb"), difference = lrt(apart, alike))
writeLines(toJSON(list(lavaan = as.character(packageVersion("lavaan")), roles = roles, levels = levels), dataframe = "rows", auto_unbox = TRUE, digits = 12,
                  pretty = TRUE), "expected_groups.json")
