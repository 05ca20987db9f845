# Times lavaan on request: one process, one line in ("job repetitions" or "read model data"), one line of seconds out.
suppressPackageStartupMessages(library(lavaan))
input <- file("stdin", open = "r")
clock <- function(job, repetitions) {
  vapply(seq_len(repetitions), function(k) {
    begin <- Sys.time()
    job()
    as.numeric(difftime(Sys.time(), begin, units = "secs"))
  }, numeric(1))
}
answer <- function(...) {
  cat(..., "\n")
  flush(stdout())
}
everything <- function(fit) {
  parameterEstimates(fit)
  fitMeasures(fit)
}
drawn <- function(share) {
  rows <- matrix(rnorm(nrow(data) * ncol(data)), nrow(data)) %*% chol(cov(data))
  rows[matrix(runif(length(rows)) < share, nrow(data))] <- NA
  setNames(as.data.frame(rows), names(data))
}
jobs <- list(
  sem = function() sem(model, data),
  all = function() everything(sem(model, data)),
  # Refitting: no baseline and saturated model, no checks, and everything that does not depend on the data handed over in slots.
  data = function() lavaan(slotOptions = slim@Options, slotParTable = slim@ParTable, slotModel = slim@Model, data = data),
  bootstrap = function() bootstrapLavaan(whole, R = 10, FUN = function(fit) c(coef(fit), standardizedSolution(fit, se = FALSE)$est.std)),
  bootstrap_coef = function() bootstrapLavaan(whole, R = 10),
  two_level_complete = function() everything(sem(model, data, cluster = "team")),
  two_level_missing = function() everything(sem(model, data, cluster = "team", missing = "ml")),
  fiml_ML = function() everything(sem(model, data, missing = "ml")),
  fiml_MLR = function() everything(sem(model, data, missing = "ml", estimator = "MLR")),
  # One replication of a simulation study: a new sample, the fit, its errors and its fit measures.
  replication_ML = function() everything(sem(model, drawn(0))),
  replication_FIML = function() everything(sem(model, drawn(0.08), missing = "ml")),
  moments = function() lavaan(slotOptions = slim@Options, slotParTable = slim@ParTable, slotModel = slim@Model, sample.cov = cov, sample.nobs = nrow(data))
)
answer(as.character(packageVersion("lavaan")), R.version.string, basename(extSoftVersion()[["BLAS"]]))
while (length(line <- readLines(input, n = 1)) == 1) {
  words <- strsplit(line, "\t")[[1]]
  if (words[1] == "read") {
    model <- paste(readLines(words[2], warn = FALSE), collapse = "\n")
    data <- read.csv(words[3], check.names = FALSE)
    answer("read", nrow(data))
  } else if (words[1] == "slim") {
    slim <- sem(model, data, baseline = FALSE, h1 = FALSE, check.start = FALSE, check.post = FALSE, check.gradient = FALSE, check.vcov = FALSE)
    cov <- cov(data[lavNames(slim)])
    same <- vapply(c("data", "moments"), function(job) {
      fit <- jobs[[job]]()
      max(abs(coef(fit) - coef(slim)), abs(fit@test[[1]]$stat - slim@test[[1]]$stat) / slim@test[[1]]$stat) < 1e-4 && all(diag(vcov(fit)) > 0)
    }, logical(1))
    answer("slim", all(same))
  } else if (words[1] == "whole") {
    whole <- sem(model, data)
    answer("whole", fitMeasures(whole, "npar"))
  } else if (words[1] == "memory") {
    peak <- grep("VmHWM", tryCatch(readLines("/proc/self/status"), error = function(e) "VmHWM: NA"), value = TRUE)
    answer(as.numeric(gsub("[^0-9]", "", peak)) / 1024)
  } else {
    answer(clock(jobs[[words[1]]], as.integer(words[2])))
  }
}
