"""High availability: several Alertmanagers share silences and the notification log, also with the original's.

`ROUNDS=100 tests/run.py cluster.partitions` plays that many rounds of partitions and restarts instead of a few.
"""

import contextlib
import datetime
import os
import random
import shutil
import subprocess
import time

import cluster
from cluster import LONG, Member, Webhooks, settle
from network import Network
from support import SkipTest, scratch, time_limit, until


def now(seconds=0):
    moment = datetime.datetime.now(datetime.timezone.utc) + datetime.timedelta(seconds=seconds)
    return moment.isoformat().replace("+00:00", "Z")


@contextlib.contextmanager
def members(kinds, **options):
    """Members by name; True for the original's program. Started side by side, each naming all others."""
    with scratch() as directory:
        webhooks = Webhooks()
        group = [Member(directory, name, original, webhooks, **options) for name, original in kinds.items()]
        try:
            for member in group:
                member.start(group)
            for member in group:
                until(member.ready, member.name)
            yield webhooks, group
        except BaseException:
            for member in group:
                if member.process:
                    print(f"--- {member.name}\n{member.process.log_tail()}")
            raise
        finally:
            for member in group:
                member.close()
            webhooks.close()


def agree(group, what):
    def same():
        views = [member.silences() for member in group]
        assert all(view == views[0] for view in views), views
        return True

    until(same, f"all to agree on {what}")


@time_limit(180)
def test_a_mixed_cluster_shares_everything():
    cluster.need_original()
    kinds = {"a-ours": False, "b-original": True, "c-ours": False, "d-original": True}
    with members(kinds) as (webhooks, group):
        settle(group)
        assert [m.status()["peers"] for m in group] == [group[0].status()["peers"]] * 4

        # Silences made anywhere, small and large, are known everywhere; so are their changes.
        ids = {member: [member.silence(f"of {member.name}"), member.silence(LONG + member.name)] for member in group}
        agree(group, "new silences")
        assert len(group[0].silences()) == 8
        for member, other in zip(group, group[1:] + group[:1]):
            small, large = ids[member]
            assert other.silence(f"of {member.name}", id=small, hours=2) == small
            other.expire(large)
        agree(group, "changed silences")
        states = sorted(state for _, state, _, _ in group[0].silences().values())
        assert states == ["active"] * 4 + ["expired"] * 4, states

        # All get the alert, the first tells, the others know it from the log.
        def tell(name, first):
            for member in group:
                if member.process.child:
                    member.put(name, startsAt=now())
            until(lambda: webhooks.who_told(name), f"somebody to tell of {name}")
            # Everybody's turn and two more intervals go by.
            time.sleep(3 * 2 + 2 * 3 + 1)
            assert webhooks.who_told(name) == [first], webhooks.who_told(name)

        tell("one", "a-ours")
        group[0].close()
        rest = group[1:]
        settle(rest)
        tell("two", "b-original")

        # Who comes back, and who is new, learns everything from the others.
        group[0].start(group)
        until(group[0].ready, "a-ours again")
        settle(group)
        agree(group, "silences after a restart")
        assert webhooks.who_told("one") == ["a-ours"], "the restarted member repeats nothing"
        assert webhooks.who_told("two") == ["b-original"]


@time_limit(120)
def test_labels_keep_clusters_apart():
    with members({"a": False, "b": False}, extra=["--cluster.label=blue"]) as (webhooks, (a, b)):
        settle([a, b])
        stranger = Member(a.directory, "c", False, webhooks, extra=["--cluster.label=green"])
        try:
            stranger.start([a, b])
            until(stranger.ready, "the stranger")
            until(lambda: stranger.status()["status"] == "ready", "the stranger to settle")
            assert stranger.sees() == ["c"]
            assert a.sees() == b.sees() == ["a", "b"]
        finally:
            stranger.close()


@time_limit(120)
def test_gossip_may_be_encrypted():
    with scratch() as directory:
        keys = directory / "keys"
        keys.write_text("AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=\n")
        with members({"a": False, "b": False}, extra=[f"--cluster.encryption-keys-file={keys}"]) as (_, (a, b)):
            settle([a, b])
            a.silence("small")
            b.silence(LONG)
            agree([a, b], "silences")


class Rounds:
    """Three members under one disaster per round, and what must hold after each."""

    def __init__(self, network, directory, webhooks, seed):
        self.network, self.webhooks, self.random = network, webhooks, random.Random(seed)
        self.group = [
            Member(directory, name, False, webhooks, place=place, peer_timeout="1s", group_wait="500ms", group_interval="2s")
            for name, place in zip("abc", network.places)
        ]
        self.place = dict(zip(self.group, network.places))
        self.firing, self.silences = {}, 0

    def running(self):
        return [member for member in self.group if member.process and member.process.child]

    def start(self, member):
        member.start(self.group)
        until(member.ready, member.name)

    def put(self):
        """Sends every firing alert to every running member, as Prometheus does again and again."""
        for member in self.running():
            for name, since in self.firing.items():
                member.put(name, startsAt=since)

    def play(self, number):
        disaster = self.random.choice(["none", "cut", "cut all", "kill", "cut and kill", "loss"])
        victim, other = self.random.sample(self.group, 2)
        parts = 1
        if disaster in ("cut", "cut and kill"):
            self.network.cut(self.place[victim])
            parts = 2
        elif disaster == "cut all":
            for place in self.network.places:
                self.network.cut(place)
            parts = 3
        elif disaster == "loss":
            for place in self.network.places:
                self.network.lose(place, self.random.choice([10, 30]))
        if disaster in ("kill", "cut and kill"):
            other.kill()
        time.sleep(self.random.choice([0, 0.3, 3]))

        # One alert for all who run, and one silence at one of them.
        name = f"alert-{number}"
        self.firing[name] = now()
        self.put()
        self.random.choice(self.running()).silence(f"round {number}")
        self.silences += 1
        if disaster == "kill" and self.random.random() < 0.5:
            # Somebody dies just about when the alert is told.
            time.sleep(self.random.uniform(0.3, 0.7))
            if len(self.running()) > 1:
                self.running()[0].kill()
            parts += 1
        until(lambda: self.webhooks.who_told(name), f"somebody to tell of {name} ({disaster})")
        # Everybody has had a turn.
        time.sleep(3.5)
        told = self.webhooks.who_told(name)
        if disaster == "loss":
            # Each member may miss what the ones before it gossiped.
            parts = 3
        assert 1 <= len(told) <= parts, f"round {number}, {disaster}: {name} was told by {told}"

        for place in self.network.places:
            self.network.mend(place)
            self.network.lose(place, 0)
        for member in self.group:
            if member not in self.running():
                self.start(member)
        settle(self.group)
        agree(self.group, f"silences after round {number} ({disaster})")
        assert len(self.group[0].silences()) == self.silences
        return disaster, told

    def check_calm(self, number):
        """Whole again: what was told is not told again, and what is new is told once."""
        told = {name: self.webhooks.who_told(name) for name in self.firing}
        self.put()
        name = f"calm-{number}"
        self.firing[name] = now()
        self.put()
        until(lambda: self.webhooks.who_told(name), f"somebody to tell of {name}")
        time.sleep(3.5)
        assert len(self.webhooks.who_told(name)) == 1, self.webhooks.who_told(name)
        for before, members in told.items():
            assert self.webhooks.who_told(before) == members, f"{before} was told again after round {number}"
        # And its end, once.
        ended = dict(self.firing)
        self.firing = {}
        for name, since in ended.items():
            for member in self.group:
                member.put(name, resolved=True, startsAt=since, endsAt=now())
        for name in ended:
            until(lambda: self.webhooks.who_told(name, resolved=True), f"the end of {name}")


@time_limit(7200)
def test_partitions_and_restarts_lose_nothing():
    rounds, seed = int(os.environ.get("ROUNDS", "4")), int(os.environ.get("SEED", "1"))
    with Network(3) as network, scratch() as directory:
        webhooks = Webhooks(network.host)
        play = Rounds(network, directory, webhooks, seed)
        try:
            for member in play.group:
                play.start(member)
            settle(play.group)
            messages = 0
            for number in range(rounds):
                disaster, told = play.play(number)
                messages += len(told)
                play.check_calm(number)
                if rounds > 10:
                    print(f"round {number}: {disaster}, told by {' '.join(told)}", flush=True)
            if rounds > 10:
                print(f"{rounds} rounds: {2 * rounds} alerts, {messages + rounds} notifications, none lost")
        except BaseException:
            for member in play.group:
                if member.process:
                    print(f"--- {member.name}\n{member.process.log_tail()}")
            raise
        finally:
            for member in play.group:
                member.close()
            webhooks.close()


def certificates(directory):
    """An authority and a certificate for loopback, good for servers and clients; the file that names them."""
    if not shutil.which("openssl"):
        raise SkipTest("openssl is not installed")

    def openssl(text):
        subprocess.run(["openssl", *text.split()], cwd=directory, check=True, capture_output=True, timeout=60)

    openssl("req -x509 -newkey rsa:2048 -nodes -days 2 -subj /CN=authority -keyout ca.key -out ca.pem")
    openssl("req -newkey rsa:2048 -nodes -subj /CN=member -keyout member.key -out member.csr")
    (directory / "extensions").write_text("subjectAltName=IP:127.0.0.1\nextendedKeyUsage=serverAuth,clientAuth\n")
    openssl("x509 -req -in member.csr -CA ca.pem -CAkey ca.key -CAcreateserial -days 2 -extfile extensions -out member.pem")
    file = directory / "tls.yml"
    file.write_text("""
tls_server_config:
  cert_file: member.pem
  key_file: member.key
  client_ca_file: ca.pem
  client_auth_type: RequireAndVerifyClientCert
tls_client_config:
  cert_file: member.pem
  key_file: member.key
  ca_file: ca.pem
""")
    return file


@time_limit(180)
def test_a_mixed_cluster_over_tls():
    cluster.need_original()
    with scratch() as directory:
        flag = f"--cluster.tls-config={certificates(directory)}"
        with members({"a-ours": False, "b-original": True, "c-ours": False}, extra=[flag]) as (webhooks, group):
            settle(group)
            for member in group:
                member.silence(f"of {member.name}")
                member.silence(LONG + member.name)
            agree(group, "silences")
            assert len(group[0].silences()) == 6
            for member in group:
                member.put("one", startsAt=now())
            until(lambda: webhooks.who_told("one"), "somebody to tell")
            time.sleep(8)
            assert webhooks.who_told("one") == ["a-ours"]
