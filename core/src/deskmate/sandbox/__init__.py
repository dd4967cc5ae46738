"""The virtual machine: image, template, restore, channels. Adapter of the port `Sandbox`."""
