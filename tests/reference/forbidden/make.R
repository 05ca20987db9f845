#!/usr/bin/env Rscript
# For the cases of cases.json: modification indices and expected changes of what the model leaves out, partial correlations of the constructs with
# delta-method errors (from the measurement part alone), and the difference test of the two models, all by R's lavaan; and Bollen & Ting's test of given
# tetrads, written out with numerical derivatives. Writes expected.json. Usage: Rscript make.R   (from this folder; two minutes)
suppressPackageStartupMessages({ library(lavaan); library(jsonlite) })
quiet <- function(expr) suppressMessages(suppressWarnings(expr))

path_of <- function(data) if (data == "survey") "../../../data/simulated/survey/data.csv" else file.path("..", "data", paste0(data, ".csv"))

# lavaan's optimiser stops when a parameter is right to about 1e-6; Newton steps on its own gradient and information give the other digits.
polished <- function(arguments, rounds) {
  bare <- modifyList(arguments, list(se = "none", test = "none"))
  fit <- do.call("sem", bare)
  for (k in seq_len(rounds)) {
    theta <- coef(fit, type = "free")
    hessian <- lavTech(fit, "information.observed")
    table <- parTable(fit)
    free <- table$free > 0
    table$start[free] <- (as.numeric(theta) - solve(hessian, as.numeric(lavTech(fit, "gradient"))))[table$free[free]]
    table$est <- table$start
    last <- list(start = as.data.frame(table), optim.method = "none")
    fit <- do.call("sem", modifyList(if (k < rounds) bare else arguments, last))
  }
  fit@optim$converged <- TRUE
  fit
}

# Text that defines the partial correlation of two variables given others, by the recursion over what is given.
defined <- new.env()
partial <- function(one, other, given) {
  name <- paste0("r_", one, "_", other, if (length(given)) paste0("_g_", paste(given, collapse = "_")))
  if (!is.null(defined[[name]])) return(name)
  if (!length(given)) {
    label <- function(a, b) { pair <- sort(c(a, b)); paste0("c_", pair[1], "_", pair[2]) }
    defined[[name]] <- if (latent) paste0(name, " := ", label(one, other)) else
      paste0(name, " := ", label(one, other), "/sqrt(", label(one, one), "*", label(other, other), ")")
  } else {
    last <- given[length(given)]; rest <- given[-length(given)]
    a <- partial(one, other, rest); b <- partial(one, last, rest); d <- partial(other, last, rest)
    defined[[name]] <- paste0(name, " := (", a, " - ", b, "*", d, ")/sqrt((1 - ", b, "^2)*(1 - ", d, "^2))")
  }
  order_of <<- c(order_of, name)
  name
}

# Bollen & Ting's statistic of tetrads (rows g, h, i, j: s_gh s_ij - s_gi s_hj), with numerical derivatives.
tetrad_statistic <- function(S, G, n, tetrads) {
  lower <- which(lower.tri(S, diag = TRUE), arr.ind = TRUE)
  fill <- function(v) { M <- matrix(0, nrow(S), nrow(S)); M[lower] <- v; M[lower[, 2:1]] <- v; M }
  value <- function(v) { M <- fill(v); apply(tetrads, 1, function(t) M[t[1], t[2]] * M[t[3], t[4]] - M[t[1], t[3]] * M[t[2], t[4]]) }
  s <- S[lower]
  slope <- function(k) { h <- 1e-5; e <- replace(0 * s, k, h); (value(s + e) - value(s - e)) / (2 * h) }
  D <- matrix(sapply(seq_along(s), slope), nrow = nrow(tetrads))
  t <- value(s)
  n * drop(t %*% solve(D %*% G %*% t(D), t))
}
gammas <- function(X) {
  n <- nrow(X); Z <- scale(X, scale = FALSE); S <- crossprod(Z) / n
  lower <- which(lower.tri(S, diag = TRUE), arr.ind = TRUE)
  P <- Z[, lower[, 1]] * Z[, lower[, 2]]
  normal <- S[lower[, 1], lower[, 1]] * S[lower[, 2], lower[, 2]] + S[lower[, 1], lower[, 2]] * S[lower[, 2], lower[, 1]]
  list(S = S, n = n, free = crossprod(scale(P, scale = FALSE)) / n, normal = normal)
}

cases <- fromJSON("cases.json", simplifyVector = FALSE)
result <- list()
for (name in names(cases)) {
  case <- cases[[name]]
  data <- read.csv(path_of(case$data))
  if (!is.null(case$tetrads)) {
    result[[name]] <- lapply(case$tetrads, function(set) {
      items <- unlist(set$items)
      g <- gammas(as.matrix(data[, items]))
      rows <- matrix(match(unlist(set$tetrads), items), ncol = 4, byrow = TRUE)
      list(normal = tetrad_statistic(g$S, g$normal, g$n, rows), free = tetrad_statistic(g$S, g$free, g$n, rows))
    })
    cat(name, "\n"); next
  }
  options <- case$options
  rounds <- if (is.null(options$missing)) 6 else 3
  if (!is.null(options$missing)) options <- c(options, list(em.h1.tol = 1e-14, em.h1.iter.max = 1e5))
  fit <- quiet(polished(c(list(model = case$text, data = data, fixed.x = FALSE), options), rounds))
  found <- list()
  if (!is.null(case$added)) {
    table <- modindices(fit)
    found$changes <- lapply(case$added, function(row) {
      at <- table$op == row[[2]] & ((table$lhs == row[[1]] & table$rhs == row[[3]]) | (row[[2]] == "~~" & table$lhs == row[[3]] & table$rhs == row[[1]]))
      if (sum(at) != 1) { # modindices() offers no covariances of observed effects
        test <- quiet(lavTestScore(fit, add = paste(row[[1]], row[[2]], row[[3]]), epc = TRUE))
        last <- test$epc[nrow(test$epc), ]
        return(list(mi = test$uni$X2, epc = last$epc, sepc = last$sepc.all))
      }
      list(mi = table$mi[at], epc = table$epc[at], sepc = table$sepc.all[at])
    })
  }
  latent <- nchar(case$cfa) > 0
  names_of <- if (latent) lavNames(fit, "lv") else lavNames(fit, "ov")
  pairs <- t(combn(sort(names_of), 2))
  text <- paste0(pairs[, 1], " ~~ c_", pairs[, 1], "_", pairs[, 2], "*", pairs[, 2])
  if (!latent) text <- c(text, paste0(names_of, " ~~ c_", names_of, "_", names_of, "*", names_of))
  order_of <- character(0); rm(list = ls(defined), envir = defined)
  wanted <- sapply(case$statements, function(s) partial(s$one, s$other, unlist(s$given)))
  lines <- c(case$cfa, text, sapply(order_of, function(k) defined[[k]]))
  wide <- quiet(polished(c(list(model = paste(lines, collapse = "\n"), data = data, std.lv = TRUE, fixed.x = FALSE), options), rounds))
  estimates <- parameterEstimates(wide)
  at <- match(wanted, estimates$lhs[estimates$op == ":="])
  rows <- estimates[estimates$op == ":=", ][at, ]
  found$partial <- list(r = rows$est, se = rows$se)
  test <- quiet(lavTestLRT(fit, wide))
  found$joint <- list(statistic = test[["Chisq diff"]][2], df = test[["Df diff"]][2])
  found$chisq <- list(fit = fit@test[[1]]$stat, wide = wide@test[[1]]$stat)
  result[[name]] <- found
  cat(name, "\n")
}
writeLines(toJSON(list(versions = list(R = as.character(getRversion()), lavaan = as.character(packageVersion("lavaan"))), cases = result),
                  digits = 14, auto_unbox = TRUE, na = "null", null = "null", pretty = TRUE), "expected.json")
