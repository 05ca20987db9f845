#!/usr/bin/env Rscript
# Simulates four data sets, fits the models in models/ (written by hand) with R's lavaan, and writes expected.json.
# Usage: Rscript make.R   (from this folder)
suppressPackageStartupMessages({ library(lavaan); library(jsonlite) })

# Two variables, four waves: traits that last, and parts within persons that move. Plain recursions, so that nothing of what is tested is used.
simulate_traits <- function(n) {
  set.seed(20151)
  trait <- matrix(rnorm(2 * n), n) %*% chol(matrix(c(1, .4, .4, .8), 2))
  within <- matrix(rnorm(2 * n), n) %*% chol(matrix(c(1, .3, .3, 1), 2))
  lags <- matrix(c(.4, .25, .1, .35), 2)
  out <- list()
  for (w in 1:4) {
    out[[w]] <- trait + within
    within <- within %*% t(lags) + matrix(rnorm(2 * n), n) %*% chol(matrix(c(.75, .15, .15, .75), 2))
  }
  found <- as.data.frame(round(do.call(cbind, out), 4))
  names(found) <- paste0(c("t", "c"), rep(1:4, each = 2))
  found
}
# Two variables that grow; who grows more in one grows more in the other.
simulate_slopes <- function(n) {
  set.seed(20152)
  level <- rnorm(n); slope <- .3 + .5 * rnorm(n)
  level_c <- .5 * level + rnorm(n, sd = .8); slope_c <- .1 + .6 * slope + rnorm(n, sd = .3)
  found <- list()
  for (w in 0:3) {
    found[[paste0("t", w + 1)]] <- 2 + level + w * slope + rnorm(n, sd = .6)
    found[[paste0("c", w + 1)]] <- 3 + level_c + w * slope_c + rnorm(n, sd = .6)
  }
  as.data.frame(lapply(found, round, 3))
}
# Each of the two measured by three items (t) and two (m) in four waves.
simulate_items <- function(traits) {
  set.seed(20153)
  found <- list()
  for (w in 1:4) {
    for (k in 1:3) found[[paste0("t", c(1, 2, 4)[k], "_w", w)]] <- c(1, .9, 1.1)[k] * traits[[paste0("t", w)]] + rnorm(nrow(traits), sd = .7)
    for (k in 1:2) found[[paste0("m", k, "_w", w)]] <- c(1, .8)[k] * traits[[paste0("c", w)]] + rnorm(nrow(traits), sd = .7)
  }
  as.data.frame(lapply(found, round, 3))
}
# Those low in the last wave that they were seen leave more often: missing at random.
leave <- function(data) {
  set.seed(20154)
  for (w in 2:4) {
    gone <- is.na(data[[paste0("t", w - 1)]]) | runif(nrow(data)) < plogis(-1.7 - data[[paste0("t", w - 1)]])
    data[gone, paste0(c("t", "c"), w)] <- NA
  }
  data
}
traits <- simulate_traits(300)
write.csv(traits, "traits.csv", row.names = FALSE)
write.csv(leave(traits), "traits_dropout.csv", row.names = FALSE, na = "")
write.csv(simulate_items(simulate_traits(400)), "items.csv", row.names = FALSE)
write.csv(simulate_slopes(300), "slopes.csv", row.names = FALSE)

# lavaan's optimiser stops when a parameter is right to about 1e-6. Newton steps on its own gradient and information give the other digits; lavaan then
# recomputes every number at that point.
polished <- function(fun, arguments) {
  fit <- do.call(fun, arguments)
  basis <- if (fit@Model@eq.constraints) fit@Model@eq.constraints.K else diag(length(lavTech(fit, "gradient")))
  table <- parTable(fit)
  theta <- table$est[table$free > 0][order(table$free[table$free > 0])]
  for (k in 1:6) {
    gradient <- crossprod(basis, as.numeric(lavTech(fit, "gradient")))
    hessian <- crossprod(basis, lavTech(fit, "information.observed") %*% basis)
    theta <- theta - as.numeric(basis %*% solve(hessian, gradient))
    table <- parTable(fit)
    table$start[table$free > 0] <- theta[table$free[table$free > 0]]
    table$est <- table$start
    fit <- suppressWarnings(do.call(fun, modifyList(arguments, list(start = as.data.frame(table), optim.method = "none"))))
  }
  fit@optim$converged <- TRUE
  fit
}

find_data <- function(name) {
  places <- c(paste0(name, ".csv"), paste0("../data/", name, ".csv"), paste0("../../../data/simulated/", name, "/data.csv"))
  read.csv(places[file.exists(places)][1])
}
fit_case <- function(case, edit = identity) {
  text <- paste(edit(readLines(file.path("models", paste0(case$model, ".lav")))), collapse = "\n")
  options <- case$options
  names(options) <- sub("_", ".", names(options))
  if (!is.null(options$missing)) options <- c(options, list(em.h1.tol = 1e-14, em.h1.iter.max = 1e5))
  polished(case[["function"]], c(list(model = text, data = find_data(case$data)), options))
}

cases <- fromJSON("cases.json", simplifyVector = FALSE)
expected <- lapply(cases, function(case) {
  capture.output(fit <- suppressWarnings(fit_case(case)))  # lavaan prints matrices now and then
  raw <- parameterEstimates(fit, remove.nonfree = FALSE)
  standard <- standardizedSolution(fit)
  keep <- raw$op %in% c("~", "~1")
  rows <- data.frame(lhs = raw$lhs, op = raw$op, rhs = raw$rhs, est = raw$est, se = raw$se, std = standard$est.std, std_se = standard$se)[keep, ]
  wanted <- c("chisq", "df", "logl", "bic", if (identical(case$options$estimator, "MLR")) "chisq.scaled")
  measures <- fitMeasures(fit, wanted)
  result <- list(n = lavInspect(fit, "nobs"), rows = rows, measures = as.list(measures))
  if (!is.null(case$drop)) {
    capture.output(narrow <- suppressWarnings(fit_case(case, function(lines) gsub(case$drop, "", lines))))
    test <- lavTestLRT(fit, narrow)
    result$difference <- list(chisq_diff = test[["Chisq diff"]][2], df_diff = test[["Df diff"]][2], pvalue = test[["Pr(>Chisq)"]][2])
  }
  result
})
writeLines(toJSON(list(lavaan = as.character(packageVersion("lavaan")), cases = expected), dataframe = "rows", auto_unbox = TRUE, digits = 12, pretty = TRUE),
           "expected.json")
