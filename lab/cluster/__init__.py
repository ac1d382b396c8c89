"""The lab's cluster: one-node Kubernetes on host cp1, laid out as kubeadm lays it out."""
