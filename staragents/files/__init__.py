"""Files and folders named by the user: reading them, atomic writes, standard streams."""
