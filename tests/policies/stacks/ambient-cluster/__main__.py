"""Broken on purpose: which cluster is meant depends on the shell."""

import pulumi_kubernetes as kubernetes

kubernetes.Provider("cluster", cluster_identifier="dev")
