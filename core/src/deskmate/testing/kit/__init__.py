"""The partner kit: makes a plugin's folder, packs it into a wheel as data, and checks it in a virtual machine."""
