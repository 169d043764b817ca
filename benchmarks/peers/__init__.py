"""Which servers are measured, in the order of the columns: ours first, the bound last."""

from benchmarks.peers.floor import Floor
from benchmarks.peers.ours import Ours
from benchmarks.peers.peer import Peer, Server
from benchmarks.peers.terminado import Terminado

SERVERS: tuple[Peer[Server], ...] = (Ours(), Terminado(), Floor())
