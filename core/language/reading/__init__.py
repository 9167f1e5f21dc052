"""Source text in, a checked program or every problem with it out; nothing here can run a program."""
