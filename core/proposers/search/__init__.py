"""Programs built rule by rule, each rule found by gradient."""
