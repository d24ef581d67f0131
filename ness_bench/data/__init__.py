"""Image data sets as arrays: what is trained on, validated on and tested on."""
