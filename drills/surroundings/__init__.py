"""Environment controls: faults planted around a drill, in the live cluster or on the way to the
store. They run where somebody asked for them by name of the cluster, which is in the lab."""
