"""What runs inside the virtual machine. Nothing on the host imports it."""
