"""Beyond one machine: the processes of a Dask cluster as a `Pool`. Nothing here is imported by `compute=local`."""

from leadscore.cluster.connect import close_clusters, cluster_of
from leadscore.cluster.pool import Cluster

__all__ = ["Cluster", "close_clusters", "cluster_of"]
