# install and export of hearth::hearth, and hearth.pc.
