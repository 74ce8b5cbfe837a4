declare module 'mgrs' {
  const mgrs: {
    /** Centre of the square, [lon, lat] in degrees; throws for a name that is none */
    toPoint(name: string): [number, number]
  }
  export default mgrs
}
