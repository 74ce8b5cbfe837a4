const KEPT = 'geodag.theme'
export type Theme = 'system' | 'light' | 'dark'

export const keptTheme = (): Theme => (localStorage.getItem(KEPT) as Theme | null) ?? 'system'
/** `light-dark()` of the style sheet follows `color-scheme`. */
export const showTheme = (theme: Theme): void => {
  localStorage.setItem(KEPT, theme)
  document.documentElement.style.colorScheme = theme === 'system' ? 'light dark' : theme
  dispatchEvent(new Event('themechange'))
}
export const isDark = (): boolean => {
  const theme = keptTheme()
  return theme === 'system' ? matchMedia('(prefers-color-scheme: dark)').matches : theme === 'dark'
}
