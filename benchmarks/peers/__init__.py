"""The measured servers, in the order of the columns: ours first, the floor last."""

from benchmarks.peers.floor import Floor
from benchmarks.peers.go import Go
from benchmarks.peers.gotty import Gotty
from benchmarks.peers.node import Node
from benchmarks.peers.ours import Ours
from benchmarks.peers.peer import Peer, Server
from benchmarks.peers.terminado import Terminado
from benchmarks.peers.ttyd import Ttyd

SERVERS: tuple[Peer[Server], ...] = (Ours(), Ttyd(), Go(), Gotty(), Terminado(), Node(), Floor())
