module backstop.dev/lab/images/pause

go 1.26.0
