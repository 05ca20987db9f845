# Parameter tables of R's lavaan, for comparison with trustsem.spec.build.
#
# Usage: Rscript make.R cases.json tables.json
# Each case: {"id", "model", "fun", "n_groups", "means", "options": {lavaan's option names}}; `fun` is sem, cfa, growth, lavaan, or
# lavaanify (the table alone). Models are set up, not fitted, on a made-up covariance matrix with the names that the model mentions.
# Each answer repeats the case and adds `rows` (the columns of lavaan's parameter table), `ov`, `lv`, `ov.x` (per group) and `coef` or,
# where lavaan refuses the model, `error`.

suppressMessages(library(lavaan))
library(jsonlite)

arguments <- commandArgs(trailingOnly = TRUE)
cases <- fromJSON(arguments[1], simplifyVector = FALSE)

observed_names <- function(model, n_groups) {
  flat <- lavaanify(model, ngroups = n_groups, warn = FALSE)
  unique(lavNames(flat, "ov"))
}

made_up_moments <- function(names) {
  p <- length(names)
  cov <- diag(p) * (1 + seq_len(p) / 50) + 0.3
  dimnames(cov) <- list(names, names)
  list(cov = cov, mean = setNames(seq_len(p) / 10, names))
}

# The table alone, for models that cannot be set up without data of a particular kind.
table_only <- function(case, n_groups) {
  options <- lapply(case$options, function(x) if (is.list(x)) unlist(x) else x)
  warnings <- character()
  table <- withCallingHandlers(do.call(lavaanify, c(list(model = case$model, ngroups = n_groups), options)), warning = function(w) {
    warnings <<- c(warnings, conditionMessage(w))
    invokeRestart("muffleWarning")
  })
  keep <- intersect(c("lhs", "op", "rhs", "user", "block", "group", "free", "ustart", "exo", "label", "plabel", "lower", "upper"), names(table))
  list(rows = table[keep], warnings = I(warnings))
}

table_of <- function(case) {
  n_groups <- if (is.null(case$n_groups)) 1L else as.integer(case$n_groups)
  if (case$fun == "lavaanify") return(table_only(case, n_groups))
  moments <- made_up_moments(observed_names(case$model, n_groups))
  options <- lapply(case$options, function(x) if (is.list(x)) unlist(x) else x)
  call <- c(list(model = case$model, do.fit = FALSE, se = "none", test = "none"), options)
  labels <- if (is.null(case$group_labels)) paste0("G", seq_len(n_groups)) else unlist(case$group_labels)
  with_means <- is.null(case$means) || case$means
  if (n_groups == 1L) {
    call$sample.cov <- moments$cov
    if (with_means) call$sample.mean <- moments$mean
    call$sample.nobs <- 200
  } else {
    call$sample.cov <- setNames(rep(list(moments$cov), n_groups), labels)
    if (with_means) call$sample.mean <- setNames(rep(list(moments$mean), n_groups), labels)
    call$sample.nobs <- rep(200, n_groups)
  }
  warnings <- character()
  fit <- withCallingHandlers(do.call(case$fun, call), warning = function(w) {
    warnings <<- c(warnings, conditionMessage(w))
    invokeRestart("muffleWarning")
  })
  table <- as.data.frame(parTable(fit))
  keep <- intersect(c("lhs", "op", "rhs", "user", "block", "group", "free", "ustart", "exo", "label", "plabel", "lower", "upper"), names(table))
  per_group <- function(type) lapply(seq_len(n_groups), function(g) I(lavNames(fit, type, group = g)))
  list(rows = table[keep], ov = per_group("ov"), lv = per_group("lv"), ov.x = per_group("ov.x"),
       coef = I(names(coef(fit))), warnings = I(warnings))
}

answers <- lapply(cases, function(case) {
  answer <- tryCatch(table_of(case), error = function(e) list(error = conditionMessage(e)))
  c(case, answer)
})
write_json(answers, arguments[2], dataframe = "columns", auto_unbox = TRUE, na = "null", digits = NA, pretty = FALSE)
