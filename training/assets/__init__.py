"""The base assets of the synthetic people, fetched from their public places: `python -m training.assets`.

What is known of each file, and so what a check proves (`--check` says the same of a folder that is there):

- Environments (hdri/): they lie in an npm and a Debian package, which `npm pack` and `apt-get download` fetch
  by name and version. The package is checked by sha256 before anything is taken out of it, and each EXR by
  its own sha256. Where apt-get does not know that version, the EXRs of another one are taken if they are the
  same: then only their own sha256 is checked.
- MakeHuman's meshes, .mhclo files, materials and poses: sha256 of the bytes at the pinned commit.
- MakeHuman's textures: the folder holds them shrunk to at most 1024 pixels a side, so the manifest knows the
  shrunk picture (its size and 8x8 means), not the original's bytes. In the repository a picture is a Git LFS
  pointer. The download is checked against sha256 and size in the pointer at the pinned commit, which only the
  connection vouches for; then the shrunk picture must have the known size and, within rounding, the known
  means. That tells one picture or edition from another; it is no proof of every pixel.
- ICT-FaceKit: the folder holds one .npz built from 158 meshes. The manifest has a sha256 of every array in
  it, for the deltas one of each mesh: a mesh whose float16 delta differs in one bit is refused. The rest of a
  mesh's file (its comments, its faces again) is not looked at.

A commit's name is a hash of its content, but a single file can not be checked against it, and the manifest
holds no hash that was not computed from bytes at hand.
"""
