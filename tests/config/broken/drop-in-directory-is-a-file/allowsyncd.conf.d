[vendor digi]
