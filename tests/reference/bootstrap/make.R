# Intervals that lavaan prints from its own draws, and its bootstrap of two models. Run in this folder: Rscript make.R
suppressPackageStartupMessages({
  library(lavaan)
  library(jsonlite)
})
write <- function(content, file) writeLines(toJSON(content, digits = 12, auto_unbox = TRUE, dataframe = "columns"), file)

# 1. Draws with the intervals made from them.
model <- "
visual =~ x1 + x2 + x3
textual =~ x4 + x5 + x6
textual ~ a*visual
"
data <- read.csv("../data/HolzingerSwineford1939.csv")
set.seed(42)
fit <- sem(model, data, se = "bootstrap", bootstrap = 200)
table <- parameterEstimates(fit)
free <- table$se > 0
types <- c(normal = "norm", basic = "basic", percentile = "perc", bc = "bca.simple")
found <- lapply(types, function(type) {
  interval <- parameterEstimates(fit, boot.ci.type = type)[free, ]
  list(lower = interval$ci.lower, upper = interval$ci.upper)
})
write(list(version = as.character(packageVersion("lavaan")), estimate = table$est[free], se = table$se[free],
           draws = unname(as.matrix(lavTech(fit, "boot"))), intervals = found), "intervals.json")

# 2. Standard errors and the test of Bollen and Stine of a model with an indirect effect.
democracy <- read.csv("../data/PoliticalDemocracy.csv")
text <- "
ind60 =~ x1 + x2 + x3
dem60 =~ y1 + y2 + y3 + y4
dem65 =~ y5 + y6 + y7 + y8
dem60 ~ a*ind60
dem65 ~ ind60 + b*dem60
ab := a*b
"
set.seed(7)
fit <- sem(text, democracy, se = "bootstrap", bootstrap = 2000)
table <- parameterEstimates(fit)
bollen <- sem(text, democracy, test = "bollen.stine", bootstrap = 2000)
write(list(version = as.character(packageVersion("lavaan")), model = text, lhs = table$lhs, op = table$op, rhs = table$rhs, est = table$est, se = table$se,
           chisq = bollen@test[[1]]$stat, pvalue = bollen@test[["bollen.stine"]]$pvalue, draws = 2000), "democracy.json")
