"""Motion in three dimensions: read from compact files and originals, corrected to where annotators see joints, and seen by
virtual cameras.

One world: metres, y up, right-handed, mirrored as Kinect has it: an unmirrored image has u = -x, v = -y, depth z.
"""
