"""kerckhoffs key: the life of a key, from its making to its end. The key itself is never printed."""

import typer

from kerckhoffs.cli.keys.backups import key_backup, key_restore
from kerckhoffs.cli.keys.commitments import key_commit, key_reveal, key_verify
from kerckhoffs.cli.keys.devices import key_derive, key_secret
from kerckhoffs.cli.keys.locks import key_lock, key_unlock
from kerckhoffs.cli.keys.look import key_list, key_show
from kerckhoffs.cli.keys.make import key_new
from kerckhoffs.cli.keytests import key_test

key_app = typer.Typer(
    help="Make, inspect, lock, commit to, derive, back up and restore keys. The key itself is never printed."
)
key_app.command("new")(key_new)
key_app.command("show")(key_show)
key_app.command("list")(key_list)
key_app.command("lock")(key_lock)
key_app.command("unlock")(key_unlock)
key_app.command("backup")(key_backup)
key_app.command("restore")(key_restore)
key_app.command("secret")(key_secret)
key_app.command("derive")(key_derive)
key_app.command("commit")(key_commit)
key_app.command("reveal")(key_reveal)
key_app.command("verify")(key_verify)
key_app.command("test")(key_test)
