// Inter, its Latin letters, in every weight: one file, once.
import file from "@fontsource-variable/inter/files/inter-latin-wght-normal.woff2?url"

const face = new FontFace("Inter", `url(${file}) format("woff2")`, { weight: "100 900" })
void face.load().then((loaded) => document.fonts.add(loaded))
