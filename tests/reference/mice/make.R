# Imputations made by R's mice, and what mice, mitml, semTools and lavaan conclude from them.
#
# Usage: Rscript make.R   (from this folder; writes imputations.csv, sparse.csv and expected.json)
# The data are lavaan's HolzingerSwineford1939 with values deleted at random given age; imputations.csv holds the completed data sets that
# every number in expected.json was computed from.

suppressPackageStartupMessages({ library(lavaan); library(mice); library(mitml); library(semTools); library(jsonlite) })

M <- 10
MODEL <- "visual =~ x1 + x2 + x3\n textual =~ x4 + x5 + x6\n speed =~ x7 + x8 + x9"
PATHS <- "x1 ~ x2 + x4 + x7"

delete <- function(data) {
  set.seed(20240517)
  age <- scale(HolzingerSwineford1939$ageyr + HolzingerSwineford1939$agemo / 12)[, 1]
  for (name in c("x1", "x3", "x5", "x9")) data[runif(nrow(data)) < plogis(-1.3 + 0.8 * age), name] <- NA
  data
}

incomplete <- delete(HolzingerSwineford1939[, c(paste0("x", 1:9), "school", "ageyr")])
made <- mice(incomplete[, c(paste0("x", 1:9), "ageyr")], m = M, method = "norm", seed = 1, printFlag = FALSE)
long <- complete(made, "long")[, c(".imp", paste0("x", 1:9))]
long[, -1] <- round(long[, -1], 6)
long$school <- rep(as.character(incomplete$school), M)
write.csv(long, "imputations.csv", row.names = FALSE, quote = FALSE)
long <- read.csv("imputations.csv")
sets <- split(long[, -1], long$.imp)

# The regression, by ordinary least squares
full <- lapply(sets, function(d) lm(x1 ~ x2 + x4 + x7, data = d))
null <- lapply(sets, function(d) lm(x1 ~ x2, data = d))
pooled <- pool(as.mira(full))$pooled
test <- function(...) as.list(testModels(...)$test[1, ])
tests <- list(
  D1 = test(full, null, method = "D1"),
  D2_wald = test(full, null, method = "D2"),
  D2 = test(full, null, method = "D2", use = "likelihood"),
  D3 = test(full, null, method = "D3"),
  D4 = test(full, null, method = "D4", data = sets),
  D4_positive = test(full, null, method = "D4", data = sets, ariv = "positive")
)
ingredients <- list(
  df = 2,
  own = sapply(seq_along(sets), function(i) 2 * as.numeric(logLik(full[[i]]) - logLik(null[[i]]))),
  estimates = t(sapply(full, coef)),
  vcov = lapply(full, vcov),
  stacked = 2 * as.numeric(logLik(lm(x1 ~ x2 + x4 + x7, data = long)) - logLik(lm(x1 ~ x2, data = long))) / M
)

# Structural models: lavaan on every data set, semTools and mitml on the results
sem_case <- function(model, ...) {
  suppressWarnings(fit <- runMI(model, data = sets, fun = "sem", ...))
  columns <- c("lhs", "op", "rhs", "est", "se", "t", "df", "fmi", "riv")
  # scale.W = FALSE: Rubin's rules for every parameter by itself
  invisible(capture.output(s <- as.data.frame(suppressMessages(summary(fit, fmi = TRUE, asymptotic = FALSE, scale.W = FALSE)))))
  s <- s[, intersect(c(columns, "block", "group"), names(s))]
  lrt <- function(...) tryCatch(as.list(suppressMessages(lavTestLRT.mi(fit, ...))), error = function(e) list(error = conditionMessage(e)))
  measures <- function(...) tryCatch(as.list(suppressMessages(fitMeasures(fit, ...))), error = function(e) list(error = conditionMessage(e)))
  own <- lapply(sets, function(d) sem(model, data = d, ...))
  list(
    estimates = s,
    D2 = lrt(test = "D2", asymptotic = FALSE), D3 = lrt(test = "D3", asymptotic = FALSE),
    measures_D2 = measures(test = "D2"), measures_D3 = measures(test = "D3"),
    chisq = unname(sapply(own, fitMeasures, "chisq")), baseline = unname(sapply(own, fitMeasures, "baseline.chisq"))
  )
}

# A saturated model, written out, so that mitml can compare two lavaan models
saturated_text <- paste(unlist(lapply(1:9, function(i) paste0("x", i, " ~~ ", paste0("x", i:9, collapse = " + ")))), collapse = "\n")
lavaan_tests <- function() {
  h1 <- lapply(sets, function(d) sem(saturated_text, data = d, meanstructure = TRUE))
  h0 <- lapply(sets, function(d) sem(MODEL, data = d, meanstructure = TRUE))
  list(D2 = tryCatch(test(h1, h0, method = "D2", use = "likelihood"), error = function(e) conditionMessage(e)),
       D3 = tryCatch(test(h1, h0, method = "D3"), error = function(e) conditionMessage(e)),
       D4 = tryCatch(test(h1, h0, method = "D4", data = sets), error = function(e) conditionMessage(e)))
}

# Half of all values missing in 120 rows: where D2 and D3 break down
set.seed(1)
sparse <- HolzingerSwineford1939[1:120, paste0("x", 1:6)]
sparse[matrix(runif(720) < 0.5, 120)] <- NA
sparse <- sparse[rowSums(!is.na(sparse)) > 0, ]
sparse <- complete(mice(sparse, m = 4, method = "norm", seed = 1, printFlag = FALSE), "long")[, c(".imp", paste0("x", 1:6))]
sparse[, -1] <- round(sparse[, -1], 4)
write.csv(sparse, "sparse.csv", row.names = FALSE, quote = FALSE)
SPARSE <- "visual =~ x1 + x2 + x3\n textual =~ x4 + x5 + x6"
suppressWarnings(broken <- runMI(SPARSE, data = split(sparse[, -1], sparse$.imp), fun = "cfa"))
broken_measures <- function(test) as.list(suppressWarnings(suppressMessages(fitMeasures(broken, test = test))))

expected <- list(
  versions = sapply(c("mice", "mitml", "semTools", "lavaan"), function(p) as.character(packageVersion(p))),
  model = MODEL, paths = PATHS,
  pool = pooled[, c("term", "m", "estimate", "ubar", "b", "t", "dfcom", "df", "riv", "lambda", "fmi")],
  tests = tests, ingredients = ingredients,
  cfa = sem_case(MODEL), cfa_means = sem_case(MODEL, meanstructure = TRUE), path = sem_case(PATHS),
  groups = sem_case(MODEL, group = "school"),
  mitml = lavaan_tests(),
  sparse = list(model = SPARSE, D2 = broken_measures("D2"), D3 = broken_measures("D3"))
)
write_json(expected, "expected.json", digits = NA, auto_unbox = TRUE, dataframe = "columns", matrix = "rowmajor", na = "string", pretty = TRUE)
