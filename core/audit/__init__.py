"""What else can be asked of a program or a hybrid than how well it fits."""
