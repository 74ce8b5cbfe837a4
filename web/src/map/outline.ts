import Fill from 'ol/style/Fill.js'
import Stroke from 'ol/style/Stroke.js'
import Style from 'ol/style/Style.js'

/** Of what a user draws, and of what was asked for. */
export const outline = new Style({
  stroke: new Stroke({ color: '#0b8a7d', width: 2 }),
  fill: new Fill({ color: '#0b8a7d22' }),
})
