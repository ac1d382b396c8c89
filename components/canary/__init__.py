"""The canary in the cluster: a workload whose data is known, so that restores can be judged."""
