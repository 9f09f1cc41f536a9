"""The Ray session: joining or starting a cluster, its token and folder, its capacity, a config's demand."""
