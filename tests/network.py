"""Machines in small: network namespaces that can be cut off from each other and still be watched.

Every place has two cables: one to the others, for gossip, which can be pulled or made to lose packets, and one to the
test, for requests and webhooks, which always works. Needs root and iproute2.
"""

import os
import shutil
import subprocess

from support import SkipTest


class Place:
    def __init__(self, network, index):
        self.namespace = f"{network.prefix}n{index}"
        self.cable = f"{network.prefix}g{index}"
        self.gossip, self.web = f"10.231.{network.number}.{index + 1}", f"10.232.{network.number}.{index + 1}"
        self.wrap = ("ip", "netns", "exec", self.namespace)


class Network:
    """`size` places. Use as a context; what was set up is taken down at the end."""

    def __init__(self, size):
        if os.geteuid() != 0 or not shutil.which("ip"):
            raise SkipTest("network namespaces need root and iproute2")
        self.number = os.getpid() % 250
        self.prefix = f"ct{self.number}"
        self.host = f"10.232.{self.number}.254"
        self.places = [Place(self, index) for index in range(size)]

    def __enter__(self):
        try:
            for bridge in "gw":
                run(f"ip link add {self.prefix}b{bridge} type bridge")
                run(f"ip link set {self.prefix}b{bridge} up")
            run(f"ip addr add {self.host}/24 dev {self.prefix}bw")
            for index, place in enumerate(self.places):
                run(f"ip netns add {place.namespace}")
                run(f"ip -n {place.namespace} link set lo up")
                for bridge, address in (("g", place.gossip), ("w", place.web)):
                    outer, inner = f"{self.prefix}{bridge}{index}", f"{bridge}0"
                    run(f"ip link add {outer} type veth peer name {inner} netns {place.namespace}")
                    run(f"ip link set {outer} master {self.prefix}b{bridge} up")
                    run(f"ip -n {place.namespace} addr add {address}/24 dev {inner}")
                    run(f"ip -n {place.namespace} link set {inner} up")
        except subprocess.CalledProcessError as e:
            self.__exit__()
            raise SkipTest(f"network namespaces are not available: {e.stderr.strip()}") from None
        return self

    def __exit__(self, *_):
        for place in self.places:
            attempt(f"ip netns del {place.namespace}")
        for bridge in "gw":
            attempt(f"ip link del {self.prefix}b{bridge}")

    def cut(self, place):
        """Pulls the gossip cable of a place."""
        run(f"ip link set {place.cable} down")

    def mend(self, place):
        run(f"ip link set {place.cable} up")

    def lose(self, place, percent):
        """Loses packets on their way to a place; False where the kernel cannot."""
        attempt(f"tc qdisc del dev {place.cable} root")
        return percent == 0 or attempt(f"tc qdisc add dev {place.cable} root netem loss {percent}%")


def run(command):
    subprocess.run(command.split(), check=True, capture_output=True, text=True, timeout=10)


def attempt(command):
    return subprocess.run(command.split(), check=False, capture_output=True, timeout=10).returncode == 0
