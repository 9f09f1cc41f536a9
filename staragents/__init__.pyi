from cluster.driver.api import optimise as optimise
from cluster.driver.api import score as score

__version__: str
