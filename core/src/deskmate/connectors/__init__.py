"""What reaches the world outside: the egress broker, and the secrets that only it adds."""
