"""What the machine offers: home folder, devices, disk space, proxies, and signals that stop a process."""
