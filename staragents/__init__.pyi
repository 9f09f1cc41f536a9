from cluster.api import optimise as optimise
from cluster.api import score as score

__version__: str
